"""Statuses of HTTP become codes of gRPC."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from app import errors
from app.api.v2.grpc.statuses import grpc_code
from app.server.refusals import RequestTimeout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.MalformedBody, StatusCode.INVALID_ARGUMENT),
        (errors.Unauthorized, StatusCode.UNAUTHENTICATED),
        (errors.Forbidden, StatusCode.PERMISSION_DENIED),
        (errors.Refused, StatusCode.UNIMPLEMENTED),
        (errors.UnknownModel, StatusCode.NOT_FOUND),
        (errors.LoadFailed, StatusCode.FAILED_PRECONDITION),
        (RequestTimeout, StatusCode.DEADLINE_EXCEEDED),
        (errors.TooManyRows, StatusCode.INVALID_ARGUMENT),
        (errors.OutOfRange, StatusCode.INVALID_ARGUMENT),
        (errors.TooManyRequests, StatusCode.RESOURCE_EXHAUSTED),
        (errors.InternalError, StatusCode.INTERNAL),
        (errors.Overloaded, StatusCode.UNAVAILABLE),
        (errors.ShuttingDown, StatusCode.UNAVAILABLE),
        (errors.Expired, StatusCode.DEADLINE_EXCEEDED),
    ],
)
def test_an_error_has_its_code(error: type[errors.ServiceError], code: StatusCode) -> None:
    assert grpc_code(error.status, error.code) is code
