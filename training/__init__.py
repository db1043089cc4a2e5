"""Train autoencoders: data goes in, a checked version of a model repository comes out."""
