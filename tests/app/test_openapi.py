"""The document says what is so, and its examples work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate
from starlette.testclient import TestClient

from app.api.documented_errors import DETAILS, service_errors
from app.api.problems import Problem
from tests.helpers.openapi import PREFIXES, TASKS, assert_that_the_examples_work


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    """/openapi.json"""
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("task", TASKS)
def test_the_examples_of_every_task_work(client: TestClient, document: dict[str, Any], prefix: str, task: str) -> None:
    assert_that_the_examples_work(client, document, f"{prefix}{task}", "post")


@pytest.mark.parametrize("path", ["", "/{model}", "/{model}/versions", "/{model}/versions/{version}"])
def test_the_examples_of_every_manifest_work(client: TestClient, document: dict[str, Any], path: str) -> None:
    assert_that_the_examples_work(client, document, f"/v1/models{path}", "get")


@pytest.mark.parametrize("version", ["", "/versions/{version}"])
def test_the_example_of_inference_works(client: TestClient, document: dict[str, Any], version: str) -> None:
    assert_that_the_examples_work(client, document, f"/v2/models/{{name}}{version}/infer", "post")


def test_pictures_are_documented_as_binary(document: dict[str, Any]) -> None:
    for task in TASKS:
        operation = document["paths"][f"/v1/models/{{model}}/{task}"]["post"]
        gives = operation["responses"]["200"]["content"]
        assert ("image/png" in gives) == (task != "encode")
        takes = operation.get("requestBody", {}).get("content", {})
        assert ("image/png" in takes) == (task in ("encode", "reconstruct", "denoise"))
    assert gives["image/png"]["schema"] == {"type": "string", "format": "binary"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation under /v1 and /v2, and its path."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if path.startswith(("/v1", "/v2")):
                yield path, operation


def test_every_error_is_a_problem_document(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        assert "500" in operation["responses"]
        for status, response in operation["responses"].items():
            if status != "200" and (path, status) != ("/v2/health/ready", "503"):  # a probe's answer
                assert list(response["content"]) == ["application/problem+json"], (path, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_code_has_an_example_in_the_shape_that_clients_get(document: dict[str, Any]) -> None:
    known = {error.code: error for error in service_errors()}
    examples = document["components"]["examples"]
    assert examples.keys() == known.keys() <= DETAILS.keys()
    for code, example in examples.items():
        problem = Problem.model_validate(example["value"])
        assert (problem.code, problem.status) == (code, known[code].status)
        assert problem.detail == problem.error == DETAILS[code]


def documented_codes(operation: dict[str, Any]) -> dict[str, set[str]]:
    """The codes that an operation can answer with, by their status."""
    contents = {status: answer["content"] for status, answer in operation["responses"].items()}
    problems = {status: content.get("application/problem+json") for status, content in contents.items()}
    return {status: set(problem["examples"]) for status, problem in problems.items() if problem}


def test_each_route_has_the_errors_that_it_can_answer_with(document: dict[str, Any]) -> None:
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


def test_every_code_stands_on_a_route(document: dict[str, Any]) -> None:
    on_routes = {
        code
        for _, operation in operations(document)
        for codes in documented_codes(operation).values()
        for code in codes
    }
    assert {error.code for error in service_errors()} - on_routes == {"method-not-allowed", "malformed-request"}
    elsewhere = document["components"]["responses"]
    assert documented_codes({"responses": elsewhere}) == {
        "MethodNotAllowed": {"method-not-allowed"},
        "MalformedRequest": {"malformed-request"},
    }
    assert "Allow" in elsewhere["MethodNotAllowed"]["headers"]


def test_the_headers_of_answers_are_documented(document: dict[str, Any]) -> None:
    drawing = set()
    for path, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert {"X-Request-ID", "Server-Timing"} <= answer["headers"].keys()
            assert ("Retry-After" in answer["headers"]) == (status == "503")
            if "X-Seed" in answer["headers"]:
                drawing.add((path.rpartition("/")[2], status))
    assert drawing == {("encode", "200"), ("denoise", "200"), ("generate", "200")}


def test_options_are_never_null(document: dict[str, Any]) -> None:
    """A client that sends `?seed=null` is refused."""
    for _, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert isinstance(parameter["schema"]["type"], str)
            assert parameter["in"] != "path" or "example" in parameter


def test_operation_ids_are_names_and_all_differ(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    assert {"encode", "decode_version", "list_models", "ready"} <= set(ids)
    assert all(re.fullmatch("[a-z_]+", name) for name in ids)


def test_all_references_lead_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return here + [ref for value in node.values() for ref in references(value)]
        return [ref for item in node for ref in references(item)] if isinstance(node, list) else []

    known = {f"#/components/{kind}/{name}" for kind, named in document["components"].items() for name in named}
    assert set(references(document)) <= known


def test_nothing_internal_is_left_in_the_document(document: dict[str, Any]) -> None:
    assert "x-hourglass" not in str(document)


@pytest.mark.parametrize(("page", "assets"), [("/docs", 3), ("/redoc", 2)])
def test_the_pages_load_nothing_from_elsewhere(client: TestClient, page: str, assets: int) -> None:
    response = client.get(page)
    addresses = re.findall(r'(?:src|href|spec-url)="([^"]+)"', response.text)
    assert len([address for address in addresses if "/assets/" in address]) == assets
    assert "openapi.json" in response.text
    assert not re.search("""(?:https?:|["'(])//""", response.text)
    for address in addresses:
        assert client.get(f"/{address}").status_code == 200
    assert response.headers["content-security-policy"].startswith("default-src 'self';")


def test_a_browser_finds_the_page_and_its_icon(client: TestClient) -> None:
    assert client.get("/favicon.ico").headers["content-type"] == "image/png"
    assert client.get("/", follow_redirects=False).headers["location"] == "docs"
