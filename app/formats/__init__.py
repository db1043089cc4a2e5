"""Bytes to arrays and back: JSON, .npy and images. No HTTP, no models."""
