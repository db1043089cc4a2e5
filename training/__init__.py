"""The trainer: data in, a checked version of a model repository out."""
