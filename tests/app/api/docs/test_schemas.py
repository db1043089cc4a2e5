"""The schemas of the document are ones that generators of clients understand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api.docs.schemas import forbid_null


@pytest.fixture(scope="module")
def schemas(client: TestClient) -> dict[str, Any]:
    """Get the schemas of the document of the tiny models."""
    schemas: dict[str, Any] = client.get("/openapi.json").json()["components"]["schemas"]
    return schemas


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield a schema and all schemas in it."""
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from nodes(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from nodes(part)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}, {"type": "integer"}),
        ({"anyOf": [{"type": "null"}, {"minimum": 0}], "title": "T"}, {"minimum": 0, "title": "T"}),
        ({"type": "boolean", "default": False}, {"type": "boolean", "default": False}),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
    ],
)
def test_null_is_removed_from_optional_members(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    forbid_null(schema)
    assert schema == expected


def test_members_of_answers_are_absent_and_not_null(schemas: dict[str, Any]) -> None:
    for name in ("Samples", "Latents", "Reconstructions", "Denoised", "InferenceAnswer"):
        for member in schemas[name]["properties"].values():
            assert "null" not in str(member)


def test_a_union_of_objects_is_exclusive_and_one_of_arrays_is_not(schemas: dict[str, Any]) -> None:
    """openapi-generator merges the members of objects in `anyOf`, and loses arrays in `oneOf`."""
    assert [kind["$ref"].rpartition("/")[2] for kind in schemas["SamplesBody"]["oneOf"]] == ["SamplesIn", "ImagesIn"]
    assert [kind["type"] for kind in schemas["InputSamples"]["anyOf"]] == ["array"] * 5
    for schema in nodes(schemas):
        assert not any(kind.get("type") == "array" for kind in schema.get("oneOf", ()))
        kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
        assert len(kinds) < 2 or not any("$ref" in kind for kind in kinds)


def test_arrays_have_one_schema_for_their_items(schemas: dict[str, Any]) -> None:
    arrays = [schema for schema in nodes(schemas) if schema.get("type") == "array"]
    assert len(arrays) > 10
    for schema in arrays:
        assert "items" in schema
        assert "prefixItems" not in schema
    shape = schemas["ImageInput"]["properties"]["shape"]
    assert (shape["minItems"], shape["maxItems"]) == (3, 3)


def test_every_member_of_a_manifest_is_in_an_answer(client: TestClient, schemas: dict[str, Any]) -> None:
    answer = client.get("/v1/models/tiny-table").json()
    assert set(schemas["Manifest"]["required"]) == answer.keys() == schemas["Manifest"]["properties"].keys()
    assert set(schemas["VectorInput"]["required"]) == answer["input"].keys()


def test_no_schema_is_unused(client: TestClient, schemas: dict[str, Any]) -> None:
    document = str(client.get("/openapi.json").json())
    assert all(f"'#/components/schemas/{name}'" in document for name in schemas)
