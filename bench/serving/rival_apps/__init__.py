"""One application for each rival, run by the interpreter of its own environment; `bench.serving.rivals` starts them."""
