"""The Open Inference Protocol over gRPC: server, calls, methods, infer, messages, regions, health and statuses."""
