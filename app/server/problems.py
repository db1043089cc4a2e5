"""Problem documents (RFC 9457): the one shape of every error that a client gets."""

from __future__ import annotations

from http import HTTPStatus

import orjson

from app.errors import ServiceError

PROBLEM_JSON = "application/problem+json"
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110's phrases, which Python's http.HTTPStatus has only since 3.13."""


def problem_document(error: ServiceError, request_id: bytes) -> bytes:
    """Return the JSON of an error."""
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
