"""
The schemas of bodies, answers and errors in the OpenAPI document.

They are written so that generators of clients understand them: a union has a name, and a member that may be absent is
never null.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.api.docs.errors import Problem
from app.api.v1.schemas import ImageFiles, ImagesIn, LatentsIn, SamplesBody, SamplesIn, answer_models
from app.api.v2.schemas import INFERENCE_SCHEMAS, InferenceAnswer

SCHEMA_REF = "#/components/schemas/{model}"
Schema = dict[str, Any]
NULL = {"type": "null"}


def add_schemas(document: dict[str, Any]) -> None:
    """Add the schemas of bodies, answers and errors, and remove those that nothing refers to."""
    schemas = document["components"]["schemas"]
    models: list[type[BaseModel]] = [SamplesBody, SamplesIn, LatentsIn, ImagesIn, ImageFiles, Problem, InferenceAnswer]
    models += answer_models().values()
    _, ours = models_json_schema([(model, "validation") for model in models], ref_template=SCHEMA_REF)
    for schema in ours["$defs"].values():
        _separate_objects(schema)
        for member in schema.get("properties", {}).values():
            forbid_null(member)
    schemas.update(ours["$defs"] | INFERENCE_SCHEMAS)
    while unused := {name for name in schemas if f"'{SCHEMA_REF.format(model=name)}'" not in str(document)}:
        for name in unused:
            del schemas[name]


def forbid_null(schema: Schema) -> None:
    """Remove null from the values and the default of an optional member: it is left out instead."""
    if NULL in schema.get("anyOf", ()):
        (kind,) = (kind for kind in schema.pop("anyOf") if kind != NULL)
        schema |= kind
    if schema.get("default", ...) is None:
        del schema["default"]


def _separate_objects(schema: Schema) -> None:
    """
    Write a union of objects as `oneOf`, and leave one of arrays as `anyOf`.

    openapi-generator's typescript-fetch merges the members of objects in `anyOf`, and loses arrays in `oneOf`.
    """
    if all("$ref" in kind for kind in schema.get("anyOf", [{}])):
        schema["oneOf"] = schema.pop("anyOf")
