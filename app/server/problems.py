"""Problem documents (RFC 9457): the one shape of every error that a client gets."""

from __future__ import annotations

from http import HTTPStatus

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import ServiceError

Headers = list[tuple[bytes, bytes]]

PROBLEM_JSON = "application/problem+json"
TITLES = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}
"""RFC 9110's phrases, which Python's http.HTTPStatus has only since 3.13."""
JSON = "application/json"
OPEN_INFERENCE = "/v2"
"""The beginning of the paths of the Open Inference Protocol."""
NOSNIFF = (b"x-content-type-options", b"nosniff")
"""The header of every answer that keeps browsers from taking one type for another."""


def title(status: int) -> str:
    """Return the phrase of a status."""
    return TITLES.get(status) or HTTPStatus(status).phrase


def problem_type(path: str) -> str:
    """
    Return the media type of an error. KServe's client reads the reason only from plain JSON.

    Source: kserve/open-inference-protocol, "Inference Response JSON Error Object"
    """
    return JSON if path == OPEN_INFERENCE or path.startswith(OPEN_INFERENCE + "/") else PROBLEM_JSON


def problem_document(error: ServiceError, request_id: bytes) -> bytes:
    """Return the JSON of an error."""
    return orjson.dumps(
        {
            "type": "about:blank",
            "title": title(error.status),
            "status": error.status,
            "code": error.code,
            "detail": error.detail,
            "error": error.detail,
            "request_id": request_id.decode(),
            **error.members,
        }
    )


def problem_answer(error: ServiceError, request_id: bytes, media_type: str = PROBLEM_JSON) -> tuple[Headers, bytes]:
    """Return the headers of an error's answer, and its body."""
    document = problem_document(error, request_id)
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in error.headers.items()]
    headers += [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(document))]
    return headers, document


def problem_bytes(error: ServiceError, request_id: bytes, default_headers: Headers) -> bytes:
    """Return an HTTP/1.1 answer after which the connection closes."""
    headers, document = _closing_answer(error, request_id)
    lines = b"".join([b"%b: %b\r\n" % header for header in (*default_headers, *headers)])
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (error.status, title(error.status).encode(), lines, document)


def problem_application(error: ServiceError, request_id: bytes) -> ASGIApp:
    """Return an application that answers with an error, after which the connection closes."""
    headers, document = _closing_answer(error, request_id)

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": document})

    return answer


def _closing_answer(error: ServiceError, request_id: bytes) -> tuple[Headers, bytes]:
    headers, document = problem_answer(error, request_id)
    return [*headers, (b"x-request-id", request_id), NOSNIFF, (b"connection", b"close")], document
