"""One application for each rival, run by the Python of its own environment and started by `bench.serving.rivals`."""
