"""The codes of gRPC for the statuses of problem documents."""

from __future__ import annotations

from grpc import StatusCode

CODES = {
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    408: StatusCode.DEADLINE_EXCEEDED,
    409: StatusCode.FAILED_PRECONDITION,
    429: StatusCode.RESOURCE_EXHAUSTED,
    501: StatusCode.UNIMPLEMENTED,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
}
"""Other statuses are INVALID_ARGUMENT below 500, else INTERNAL."""
NOT_OFFERED = "refused"
"""The error of a function that the server does not offer: gRPC has a code of its own for it."""


def grpc_code(status: int, error_code: str) -> StatusCode:
    """Return the code of an error with a status of HTTP and a code of `app.errors`."""
    if error_code == NOT_OFFERED:
        return StatusCode.UNIMPLEMENTED
    return CODES.get(status, StatusCode.INVALID_ARGUMENT if status < 500 else StatusCode.INTERNAL)
