"""Errors as RFC 9457 problem documents, one shape for all: ours, the framework's, and bugs."""

from __future__ import annotations

from http import HTTPStatus

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from app.api.tracing import trace_of
from app.errors import (
    InternalError,
    InvalidParameter,
    MalformedBody,
    MethodNotAllowed,
    NotFound,
    ServiceError,
)

log = structlog.get_logger(__name__)

TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110's words, which Python's http.HTTPStatus has only since 3.13."""

PROBLEM_JSON = "application/problem+json"


class Problem(BaseModel):
    """A problem document (RFC 9457). Programs look at `code`, which is stable; people read `detail`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field("about:blank", description="Always about:blank; `code` names the kind of problem.")
    title: str = Field(description="The HTTP status in words.")
    status: int
    code: str = Field(description="Stable name of the kind of problem; docs/reference/errors.md lists them.")
    detail: str = Field(description="What was expected and what came.")
    error: str = Field(description="The detail again, where clients of the Open Inference Protocol look for it.")
    request_id: str = Field(description="The answer's X-Request-ID again: what to name when asking about it.")


def problem_document(error: ServiceError, request_id: bytes) -> bytes:
    """The JSON that tells a client of an error."""
    return orjson.dumps(
        {
            "type": "about:blank",
            "title": TITLES.get(error.status) or HTTPStatus(error.status).phrase,
            "status": error.status,
            "code": error.code,
            "detail": error.detail,
            "error": error.detail,
            "request_id": request_id.decode(),
            **error.members,
        }
    )


def problem_response(request: Request, error: ServiceError) -> Response:
    """The answer that tells a client of an error."""
    document = problem_document(error, trace_of(request.scope).id)
    return Response(document, error.status, error.headers, PROBLEM_JSON)


def install(app: FastAPI) -> None:
    """Give the application the handlers that turn every exception into a problem document."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _invalid_parameters)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _bug)


def failure(request: Request, error: Exception) -> Response:
    """The answer to whatever was raised while a request was answered."""
    if isinstance(error, ServiceError):
        return problem_response(request, error)
    if isinstance(error, RequestValidationError):
        return _invalid_parameters(request, error)
    return _bug(request, error)


def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return problem_response(request, error)


def _invalid_parameters(request: Request, error: Exception) -> Response:
    """FastAPI's validation of the query and the path: the body is read by our own code."""
    assert isinstance(error, RequestValidationError)
    parameters, sentences = [], []
    for problem in error.errors():
        whole = problem.get("ctx", {}).get("option")  # of an error about the query as a whole: the option it is about
        place, name = str(problem["loc"][0]), str(whole or problem["loc"][-1])
        parameters.append({"name": name, "in": place, "problem": str(problem["msg"])})
        got = "" if whole else f", got {problem.get('input')!r:.60}"
        sentences.append(f"{place} parameter {name!r}: {problem['msg']}{got}")
    detail = "; ".join(sentences)
    return problem_response(request, InvalidParameter(detail, parameters=parameters))


def _http_exception(request: Request, error: Exception) -> Response:
    """What the router raises by itself."""
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path[:200]}"
    match error.status_code:
        case 404:
            return problem_response(request, NotFound(f"{where}: nothing is here; GET /openapi.json lists what is"))
        case 405:
            headers = error.headers or {}
            allowed = headers.get("Allow") or headers.get("allow", "another method")
            return problem_response(request, MethodNotAllowed(f"{where}: expected {allowed}", headers=headers))
        case status if 400 <= status < 500:
            return problem_response(request, MalformedBody(f"{where}: {error.detail}"))
    return problem_response(request, InternalError("the server failed; its log says why"))


def _bug(request: Request, error: Exception) -> Response:
    """Nothing of an unexpected exception reaches the client; the server's log has all of it."""
    request_id = trace_of(request.scope).id.decode()
    log.error(
        "unexpected exception", request_id=request_id, method=request.method, path=request.url.path, exc_info=error
    )
    return problem_response(request, InternalError("the server failed; its log says why"))
