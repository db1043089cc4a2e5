"""The Open Inference Protocol over gRPC: server, calls, methods, infer, gathering, messages and health."""
