"""Tensors in system shared memory: the routes of their regions, and the reading of a request's tensors."""
