"""Two applications of a few lines over the same ONNX files: the least that can answer, and what people write."""
