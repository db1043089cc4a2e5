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


LONG = "x" * 3000
NAMES = ",".join(f'"a{number}": 0' for number in range(400))
INFER = "/v2/models/tiny-ae.encode/infer"
MODEL = "/v1/models/tiny-ae"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "code"),
    [
        ("GET", f"/{LONG}", {}, "", "not-found"),
        ("GET", f"/v1/models/{LONG}", {}, "", "unknown-model"),
        ("GET", f"/v2/models/{LONG}", {}, "", "unknown-model"),
        ("GET", f"{MODEL}/versions/{LONG}", {}, "", "unknown-version"),
        ("GET", f"/v2/models/tiny-ae.encode/versions/{LONG}", {}, "", "unknown-version"),
        ("POST", f"/v1/models/{LONG}/encode", JSON, "{}", "unknown-model"),
        ("POST", f"{MODEL}/{LONG}", JSON, "{}", "not-found"),
        ("POST", f"{MODEL}/encode?{LONG}=1", JSON, "{}", "invalid-parameter"),
        ("POST", f"{MODEL}/encode?seed={LONG}", JSON, "{}", "invalid-parameter"),
        ("POST", f"{MODEL}/decode?label={LONG}", JSON, '{"latents": [[0, 0]]}', "invalid-parameter"),
        ("POST", f"{MODEL}/encode?{'&'.join(f'a{n}=1' for n in range(500))}", JSON, "{}", "invalid-parameter"),
        ("POST", f"{MODEL}/encode", JSON, f'{{"{LONG}": 0}}', "invalid-input"),
        ("POST", f"{MODEL}/encode", JSON, f"{{{NAMES}}}", "invalid-input"),
        ("POST", f"{MODEL}/encode", {"content-type": LONG}, "0.5", "unsupported-media-type"),
        ("POST", f"{MODEL}/encode", {"accept": LONG}, "{}", "not-acceptable"),
        ("POST", f"{MODEL}/encode", {**JSON, "content-encoding": LONG}, "{}", "unsupported-encoding"),
        ("POST", INFER, JSON, f'{{"inputs": [{{"name": "{LONG}"}}]}}', "invalid-input"),
        ("POST", INFER, JSON, f'{{"inputs": [], "parameters": {{"{LONG}": 1}}}}', "invalid-parameter"),
        ("POST", "/v2/repository/index", JSON, f'{{"ready": "{LONG}"}}', "malformed-body"),
    ],
)  # fmt: skip
def test_errors_repeat_little_of_the_request(
    method: str, path: str, headers: dict[str, str], content: str, code: str, client: TestClient
) -> None:
    answer = client.request(method, path, headers=headers, content=content)
    assert answer.json()["code"] == code
    assert "x" * 101 not in answer.text
    assert len(answer.content) < 3000
