"""
Published schemas of Kubernetes' objects, from packages in `.system/schemas`.

- Kubernetes itself: kubernetes-validate has the JSON schemas of each version, which refuse unknown fields.
- The Prometheus operator: cloudcoil has a model of pydantic for each of its kinds; a field that a model does not know
  is missing from the object that it writes.
- KServe: its package has a class for each kind, with the types of the fields. They are read, not imported, since the
  package needs many others; the fields that are Kubernetes' own (containers, volumes) are held against its schemas.
"""

from __future__ import annotations

import ast
import functools
import importlib
import json
import re
import sys
from types import ModuleType
from typing import Any

import jsonschema_rs

from tests.helpers.kubernetes import Object
from tests.helpers.programs import SCHEMAS

PLAIN_TYPES = {"str": {"type": "string"}, "int": {"type": "integer"}, "bool": {"type": "boolean"}, "object": {}}
STRUCTURE = re.compile(r"(list|dict)[\[(](?:str, )?(\w+)[\])]")
"""A type of KServe's package: `list[V1Volume]` or `dict(str, str)`."""


@functools.cache
def definitions(version: str) -> Any:
    """Return the document of Kubernetes' definitions in one version, which refuse unknown fields."""
    folder = SCHEMAS / "kubernetes_validate" / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    return json.loads((folder / "_definitions.json").read_text())


@functools.cache
def registry(version: str) -> jsonschema_rs.Registry:
    """Return the definitions of one version for schemas that refer to them."""
    return jsonschema_rs.Registry([(definitions(version)["$id"], definitions(version))])


def kubernetes_schema(suffix: str, version: str) -> Any:
    """Return a reference to the one definition of Kubernetes whose name ends so."""
    [name] = [name for name in definitions(version)["$defs"] if name.endswith(suffix)]
    return {"$ref": f"{definitions(version)['$id']}#/$defs/{name}"}


def check(schema: Any, document: Object, version: str) -> None:
    """Raise an error unless a document fits a schema that may refer to Kubernetes' definitions."""
    jsonschema_rs.Draft202012Validator(schema, registry=registry(version)).validate(document)


def check_kubernetes(document: Object, version: str) -> None:
    """Raise an error unless Kubernetes of this version knows every field of the object."""
    group, _, api_version = document["apiVersion"].rpartition("/")
    place = f".{group.partition('.')[0] or 'core'}.{api_version}.{document['kind']}"
    check(kubernetes_schema(place, version), document, version)


def check_operator(document: Object) -> None:
    """Raise an error unless the Prometheus operator's definitions know every field of the object."""
    model = getattr(operator_models(), document["kind"]).model_validate(document)
    known = model.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert known == document, f"the operator knows only {known} of {document}"


@functools.cache
def operator_models() -> ModuleType:
    """Import the models of the Prometheus operator's kinds, which takes some seconds."""
    sys.path.append(str(SCHEMAS))
    return importlib.import_module("cloudcoil.models.prometheus_operator.v1")


def check_kserve(document: Object, version: str) -> None:
    """Raise an error unless KServe's definitions know every field of the object."""
    api_version = document["apiVersion"].rpartition("/")[2]
    check(kserve_schema(f"V{api_version[1:]}{document['kind']}", version), document, version)


@functools.cache
def kserve_schema(name: str, version: str) -> Any:
    """Return the schema of a type: one of KServe, one of Kubernetes, a plain one, or False, which nothing fits."""
    if structure := STRUCTURE.fullmatch(name):
        kind, inner = structure.groups()
        schema = kserve_schema(inner, version)
        return {"type": "array", "items": schema} if kind == "list" else {"additionalProperties": schema}
    if name in PLAIN_TYPES:
        return PLAIN_TYPES[name]
    if name in kserve_classes():
        return class_schema(kserve_classes()[name], version)
    matches = [place for place in definitions(version)["$defs"] if place.endswith(f".v1.{name.removeprefix('V1')}")]
    return kubernetes_schema(matches[0], version) if matches else False


@functools.cache
def kserve_classes() -> dict[str, str]:
    """Return the source of each class in KServe's package."""
    sources = [path.read_text() for path in (SCHEMAS / "kserve" / "models").glob("*.py")]
    return {name: source for source in sources for name in re.findall(r"^class (\w+)", source, re.MULTILINE)}


def class_schema(source: str, version: str) -> Any:
    """Return the schema of a class that OpenAPI Generator wrote: its tables of types and of names in JSON."""
    tables: dict[str, dict[str, str]] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Dict):
            tables[node.targets[0].id] = ast.literal_eval(node.value)
    required = [tables["attribute_map"][name] for name in re.findall(r"`(\w+)`, must not be `None`", source)]
    types = {
        name: kserve_schema(tables["openapi_types"][key], version) for key, name in tables["attribute_map"].items()
    }
    return {"type": "object", "properties": types, "required": required, "additionalProperties": False}
