"""The server: a model repository of autoencoders, behind HTTP. It never imports torch."""
