"""/openapi.json: valid, complete, and equal to the answers of the server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate
from starlette.testclient import TestClient

from tests.helpers.openapi import TASKS, operations, responses


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    """Get the document of the tiny models."""
    document: dict[str, Any] = client.get("/openapi.json").json()
    return document


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)


def test_pictures_are_documented_as_binary(document: dict[str, Any]) -> None:
    for task in TASKS:
        operation = document["paths"][f"/v1/models/{{model}}/{task}"]["post"]
        response = operation["responses"]["200"]["content"]
        assert ("image/png" in response) == (task != "encode")
        request = operation.get("requestBody", {}).get("content", {})
        assert ("image/png" in request) == (task in ("encode", "reconstruct", "denoise", "score"))
    assert response["image/png"]["schema"] == {"type": "string", "format": "binary"}


def test_the_headers_of_answers_are_documented(document: dict[str, Any]) -> None:
    drawn = set()
    for path, operation in operations(document):
        for status, answer in responses(document, operation).items():
            assert {"X-Request-ID", "Server-Timing"} <= answer["headers"].keys()
            assert ("Retry-After" in answer["headers"]) == (status in ("503", "default"))
            if "X-Seed" in answer["headers"]:
                drawn.add((path.rpartition("/")[2], status))
    assert drawn == {("encode", "200"), ("denoise", "200"), ("generate", "200")}


def test_options_are_never_null(document: dict[str, Any]) -> None:
    """A server refuses `?seed=null`, so no schema may allow it."""
    for _, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert isinstance(parameter["schema"]["type"], str)
            assert parameter["in"] != "path" or "example" in parameter


def test_examples_of_parameters_are_valid(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            if "example" in parameter:
                Draft202012Validator(parameter["schema"]).validate(parameter["example"])


def test_every_operation_has_an_error_of_the_client_and_a_default(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert "400" in operation["responses"], path
            assert operation["responses"]["default"] == {"$ref": "#/components/responses/Refusal"}


def test_the_document_names_its_authors(document: dict[str, Any]) -> None:
    assert document["info"]["contact"] == {"name": "The Hourglass authors"}  # as LICENSE does


def test_operation_ids_are_names_and_differ(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    assert {"encode", "decode_version", "list_models", "ready"} <= set(ids)
    assert all(re.fullmatch("[a-z_]+", name) for name in ids)


def test_all_references_have_a_target(document: dict[str, Any]) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return here + [ref for value in node.values() for ref in references(value)]
        return [ref for item in node for ref in references(item)] if isinstance(node, list) else []

    known = {f"#/components/{kind}/{name}" for kind, named in document["components"].items() for name in named}
    assert set(references(document)) <= known


def test_nothing_internal_is_left_in_the_document(document: dict[str, Any]) -> None:
    assert "x-hourglass" not in str(document)
