"""Bytes to arrays and back: JSON and images. No HTTP, no models."""
