"""Traces for OpenTelemetry: the spans of requests, and their way to a collector."""
