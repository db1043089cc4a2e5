"""Errors of a request that ends before the application sees it. The connection sends them, and closes."""

from __future__ import annotations

from typing import NamedTuple

from app.errors import ServiceError

REFUSAL = "hourglass.refusal"
"""The key, in the ASGI scope of a request that was already with the application, of the refusal its client got."""


class Refusal(NamedTuple):
    """A request that the connection refused, and the id in its problem document."""

    error: ServiceError
    request_id: bytes
    method: str
    """Empty if it is not known."""
    path: str
    """The part of the path that was read, without the query."""


class RequestTimeout(ServiceError, status=408, code="request-timeout"):
    """The head or the body of the request did not arrive in time."""


class TargetTooLong(ServiceError, status=414, code="target-too-long"):
    """The path and query of the request have more bytes than the server accepts."""


class HeadTooLarge(ServiceError, status=431, code="head-too-large"):
    """The headers of the request have more bytes than the server accepts, or are too many."""


class UnsupportedTransferCoding(ServiceError, status=501, code="unsupported-transfer-coding"):
    """The body has another transfer coding than chunked."""


class UnsupportedVersion(ServiceError, status=505, code="unsupported-http-version"):
    """The request has another version of HTTP than 1.0 and 1.1."""
