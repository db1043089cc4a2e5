"""Checks of the OpenAPI document that several test files make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema_rs import Draft202012Validator
from starlette.testclient import TestClient

TASKS = ["encode", "decode", "reconstruct", "denoise", "generate", "interpolate", "score"]
PREFIXES = ["/v1/models/{model}/", "/v1/models/{model}/versions/{version}/"]


def assert_that_the_examples_work(client: TestClient, document: dict[str, Any], path: str, method: str) -> None:
    """Send a route each body that its documentation shows, with the parameters that it shows."""
    operation = document["paths"][path][method]
    shown = {p["name"]: p["example"] for p in operation.get("parameters", ()) if "example" in p}
    query = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"}
    address = path.format_map(shown)
    options = {name: value for name, value in shown.items() if name in query}
    content = operation.get("requestBody", {"content": {}})["content"]
    bodies = [example["value"] for media in content.values() for example in media.get("examples", {}).values()]
    assert bodies or not content
    for body in bodies or [None]:
        response = client.request(method, address, params=options, json=body)
        assert response.status_code == 200, response.text
        answer = operation["responses"]["200"]["content"]["application/json"]
        schema = {**answer["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate(response.json())


def responses(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the responses of an operation by status, each in place of a reference to it."""
    shared = document["components"]["responses"]
    return {
        status: shared[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        for status, response in operation["responses"].items()
    }


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each operation under /v1 and /v2, with its path."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if path.startswith(("/v1", "/v2")):
                yield path, operation
