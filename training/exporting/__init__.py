"""Turn a finished run into a version of the model repository: graphs, figures, card and manifest."""
