"""Two short applications over the same ONNX files: the fastest that can answer, and a typical one."""
