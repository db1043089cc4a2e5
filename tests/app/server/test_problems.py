"""Problem documents."""

from __future__ import annotations

import json

import pytest

from app.errors import BodyTooLarge, InternalError, InvalidParameter, ServiceError, UnknownModel
from app.server.problems import problem_document


def test_a_problem_document_has_the_members_of_rfc_9457_and_ours() -> None:
    error = InvalidParameter("count: expected 1 or more", parameters=[{"name": "count"}])
    assert json.loads(problem_document(error, b"id-7")) == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "code": "invalid-parameter",
        "detail": "count: expected 1 or more",
        "error": "count: expected 1 or more",
        "request_id": "id-7",
        "parameters": [{"name": "count"}],
    }


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (UnknownModel("x"), "Not Found"),
        (BodyTooLarge("x"), "Content Too Large"),
        (InternalError("x"), "Internal Server Error"),
    ],
)
def test_the_title_is_the_phrase_of_rfc_9110(error: ServiceError, title: str) -> None:
    assert json.loads(problem_document(error, b"id"))["title"] == title
