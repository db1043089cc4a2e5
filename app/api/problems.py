"""The framework's exceptions as the errors of `app.errors`."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.errors import MAX_REPEATED_CHARACTERS, InternalError, MalformedBody, MethodNotAllowed, NotFound, ServiceError
from app.parameters import invalid_parameter


def translate(scope: Scope, error: Exception) -> ServiceError | None:
    """Return the ServiceError for an exception of FastAPI or Starlette, or None for any other exception."""
    if isinstance(error, RequestValidationError):  # of the query or the path: our own code reads the bodies
        return invalid_parameter(error.errors())
    if not isinstance(error, HTTPException):
        return None
    route = f"{scope['method']} {scope['path'][:MAX_REPEATED_CHARACTERS]}"
    match error.status_code:
        case 404:
            return NotFound(f"{route}: nothing is here; GET /openapi.json lists what is")
        case 405:
            headers = error.headers or {}
            allowed = headers.get("Allow") or headers.get("allow", "another method")
            return MethodNotAllowed(f"{route}: expected {allowed}", headers=headers)
        case status if 400 <= status < 500:
            return MalformedBody(f"{route}: {error.detail}")
    return InternalError("the server failed; its log says why")


def install(app: FastAPI) -> None:
    """Let every exception pass through FastAPI, to the gate."""
    for exception in (ServiceError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(exception, _raise)


async def _raise(_: Request, error: Exception) -> Response:
    raise error
