"""The errors of the document: every code has an example, and every route has its codes."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api.docs.errors import ANYWHERE, DETAILS, Problem, codes, service_errors
from app.server.problems import JSON, PROBLEM_JSON, problem_type
from tests.helpers.openapi import operations, responses

INTERNAL = {"$ref": "#/components/responses/InternalError"}
"""The answer of every operation to a bug."""


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    """Get the document of the tiny models."""
    document: dict[str, Any] = client.get("/openapi.json").json()
    return document


def test_every_error_is_a_problem_document(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        assert "500" in operation["responses"]
        for status, response in responses(document, operation).items():
            if status != "200" and (path, status) != ("/v2/health/ready", "503"):  # a probe's answer
                assert problem_type(path) in response["content"], (path, status)
                assert set(response["content"]) <= {PROBLEM_JSON, JSON}, (path, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_code_has_an_example_in_the_shape_of_a_problem(document: dict[str, Any]) -> None:
    known = {error.code: error for error in service_errors()}
    examples = document["components"]["examples"]
    assert examples.keys() == known.keys() <= DETAILS.keys()
    for code, example in examples.items():
        problem = Problem.model_validate(example["value"])
        assert (problem.code, problem.status) == (code, known[code].status)
        assert problem.detail == problem.error == DETAILS[code]


def documented_codes(operation: dict[str, Any]) -> dict[str, set[str]]:
    """Return the codes of an operation's errors, by status."""
    codes = {
        status: set(media["examples"])
        for status, answer in operation["responses"].items()
        for media in answer.get("content", {}).values()
        if refers_to_problem(media) and "examples" in media
    }
    if operation["responses"].get("500") == INTERNAL:
        codes["500"] = {"internal-error"}
    return codes


def refers_to_problem(media: dict[str, Any]) -> bool:
    """Return True if an answer has the schema of problem documents."""
    return bool(media["schema"] == {"$ref": "#/components/schemas/Problem"})


def test_each_route_has_the_codes_of_its_errors(document: dict[str, Any]) -> None:
    paths = document["paths"]
    assert documented_codes(paths["/v1/models"]["get"]) == {"500": {"internal-error"}}
    assert documented_codes(paths["/v1/models/{model}"]["get"]).keys() == {"404", "500"}
    one = documented_codes(paths["/v1/models/{model}/versions/{version}/encode"]["post"])
    assert one["404"] == {"not-found", "unknown-model", "unknown-version", "unsupported-task"}
    assert {"too-many-pixels", "too-many-rows", "body-too-large"} <= one["413"]
    assert one.keys() == {"400", "404", "406", "413", "415", "422", "500", "503", "504"}
    latents = documented_codes(paths["/v1/models/{model}/decode"]["post"])
    assert not {"invalid-image", "out-of-range"} & latents["422"]
    assert "unknown-version" not in latents["404"]
    assert documented_codes(paths["/v1/models/{model}/generate"]["post"])["422"] == {
        "invalid-input",
        "invalid-parameter",
        "not-finite",
    }


def test_every_code_belongs_to_a_route(document: dict[str, Any]) -> None:
    on_routes = {
        code
        for _, operation in operations(document)
        for codes in documented_codes(operation).values()
        for code in codes
    }
    assert {error.code for error in service_errors()} - on_routes == {error.code for error in ANYWHERE}
    elsewhere = document["components"]["responses"]
    assert documented_codes({"responses": elsewhere}) == {
        "MalformedRequest": {"malformed-request"},
        "InternalError": {"internal-error"},
        "Refusal": {error.code for error in ANYWHERE},
    }
    assert {"Allow", "Retry-After", "WWW-Authenticate"} <= elsewhere["Refusal"]["headers"].keys()


@pytest.mark.parametrize(
    ("takes", "code", "possible"),
    [
        ("samples", "invalid-image", True),
        ("latents", "invalid-image", False),
        ("latents", "wrong-shape", True),
        (None, "wrong-shape", False),
        (None, "expired", True),
    ],
)
def test_the_codes_of_a_task_depend_on_its_input(takes: str | None, code: str, possible: bool) -> None:
    assert (code in codes(model=True, version=False, task=True, takes=takes)) == possible
