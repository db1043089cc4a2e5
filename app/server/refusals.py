"""Errors of a request that ends before the application sees it. The connection sends them, and closes."""

from __future__ import annotations

from app.errors import ServiceError


class RequestTimeout(ServiceError):
    """The head or the body of the request did not arrive in time."""

    status, code = 408, "request-timeout"


class TargetTooLong(ServiceError):
    """The path and query of the request have more bytes than the server accepts."""

    status, code = 414, "target-too-long"


class HeadTooLarge(ServiceError):
    """The headers of the request have more bytes than the server accepts, or are too many."""

    status, code = 431, "head-too-large"


class UnsupportedTransferCoding(ServiceError):
    """The body has another transfer coding than chunked."""

    status, code = 501, "unsupported-transfer-coding"


class UnsupportedVersion(ServiceError):
    """The request has another version of HTTP than 1.0 and 1.1."""

    status, code = 505, "unsupported-http-version"
