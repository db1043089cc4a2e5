"""The document says what is so, and its examples work."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

TASKS = ["encode", "decode", "reconstruct", "denoise", "generate", "interpolate"]


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    """/openapi.json"""
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


PREFIXES = ["/v1/models/{model}/", "/v1/models/{model}/versions/{version}/"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("task", TASKS)
def test_the_example_of_every_route_works(client: TestClient, document: dict[str, Any], prefix: str, task: str) -> None:
    assert_that_the_example_works(client, document, f"{prefix}{task}")


def assert_that_the_example_works(client: TestClient, document: dict[str, Any], path: str) -> None:
    """Send a route what its documentation shows."""
    operation = document["paths"][path]["post"]
    query = {p["name"]: p["example"] for p in operation["parameters"] if p["in"] == "query" and "example" in p}
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    response = client.post(path, params=query, json=body["example"] if body else None)
    assert response.status_code == 200, response.text
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][answer]
    assert response.json().keys() <= schema["properties"].keys()
    assert set(schema["required"]) <= response.json().keys()


def test_pictures_are_documented_as_binary(document: dict[str, Any]) -> None:
    for task in TASKS:
        operation = document["paths"][f"/v1/models/{{model}}/{task}"]["post"]
        gives = operation["responses"]["200"]["content"]
        assert ("image/png" in gives) == (task != "encode")
        takes = operation.get("requestBody", {}).get("content", {})
        assert ("image/png" in takes) == (task in ("encode", "reconstruct", "denoise"))
    assert gives["image/png"]["schema"] == {"type": "string", "format": "binary"}


def test_every_error_is_a_problem_document(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if path.startswith("/v1") and status != "200":
                    assert list(response["content"]) == ["application/problem+json"], (path, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


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

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known


def test_nothing_internal_is_left_in_the_document(document: dict[str, Any]) -> None:
    assert "x-hourglass" not in str(document)


def test_the_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs").text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) == 3
    assert not [address for address in addresses if "//" in address]
    for address in addresses:
        assert client.get(f"/{address}").status_code == 200
    assert client.get("/favicon.ico").headers["content-type"] == "image/png"
    assert client.get("/", follow_redirects=False).headers["location"] == "docs"
