"""The meaning of HTTP requests: `/v1`, `/v2` and the documentation."""
