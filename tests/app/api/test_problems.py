"""Exceptions of FastAPI and Starlette become errors of ours."""

from __future__ import annotations

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from app.api.problems import translate
from app.errors import InvalidParameter, MethodNotAllowed

SCOPE = {"method": "GET", "path": "/x"}


@pytest.mark.parametrize(
    ("status", "code", "detail"),
    [
        (404, "not-found", "GET /x: nothing is here; GET /openapi.json lists what is"),
        (400, "malformed-body", "GET /x: Broken"),
        (418, "malformed-body", "GET /x: Broken"),
        (503, "internal-error", "the server failed; its log says why"),
    ],
)
def test_http_exceptions_become_errors_with_a_code(status: int, code: str, detail: str) -> None:
    error = translate(SCOPE, HTTPException(status, "Broken"))
    assert error is not None
    assert (error.code, error.detail) == (code, detail)


def test_a_wrong_method_is_answered_with_the_right_ones() -> None:
    error = translate(SCOPE, HTTPException(405, headers={"Allow": "POST"}))
    assert type(error) is MethodNotAllowed
    assert (error.detail, dict(error.headers)) == ("GET /x: expected POST", {"Allow": "POST"})


def test_a_parameter_that_fails_validation_is_named() -> None:
    problem = {"loc": ("path", "version"), "msg": "Input should be 1", "input": "x"}
    error = translate(SCOPE, RequestValidationError([problem]))
    assert type(error) is InvalidParameter
    assert error.detail == "path parameter 'version': Input should be 1, got 'x'"


def test_other_exceptions_are_not_translated() -> None:
    assert translate(SCOPE, RuntimeError("x")) is None


def test_a_long_path_is_not_repeated_whole(client: TestClient) -> None:
    problem = client.get(f"/{'x' * 5000}").json()
    assert (problem["code"], len(problem["detail"]) < 300) == ("not-found", True)
