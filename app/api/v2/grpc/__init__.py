"""The Open Inference Protocol over gRPC: server, calls, methods, infer, messages, health and statuses."""
