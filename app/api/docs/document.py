"""
The OpenAPI document: FastAPI's description of its routes, and the operations of tasks from their table.

Every error is a problem document, and the examples work on the served models.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.api.docs.access import describe_access
from app.api.docs.errors import (
    DRIFT_CODES,
    REFUSAL,
    RESPONSE_REF,
    codes,
    error_examples,
    error_responses,
    responses_anywhere,
)
from app.api.docs.examples import example_model, parameter_examples
from app.api.docs.operations import infer_operations, task_operations
from app.api.docs.schemas import add_schemas
from app.engine.catalog import Catalog
from app.engine.served import ServedModel
from app.errors import MalformedRequest
from app.settings import Settings
from app.tasks import TASKS

DESCRIPTION = """
Autoencoders over REST: encode, decode, reconstruct, denoise, generate, interpolate, score.

The body is the data, the query is the options. Send samples as JSON, as a `.npy` file or as images. The answer is JSON
or, depending on `Accept`, a `.npy` file or a picture: one sample as an image, several as a grid. A body may be
compressed with gzip or deflate, as its `Content-Encoding` states.

Errors are problem documents (RFC 9457), each with a stable `code`. An unknown address answers 404 `not-found`, an
unknown method 405 `method-not-allowed`, and anything that is not HTTP 400 `malformed-request`. Where the server has
keys, a request without one answers 401 `unauthorized`.
"""
TAGS = {
    "models": "The served models.",
    "tasks": "Tasks of a model's default version, the largest.",
    "tasks of one version": "Tasks of a version by its number.",
    "open inference protocol": "For clients of this protocol: every task of every model is a model of its own.",
    "health": "Probes.",
}
WHOLE_NUMBER = {"type": "integer", "minimum": 1}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The request's id: the one that was sent under this name, or a new one.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Server-Timing": {
        "description": "Milliseconds that each part of the work took, such as `compute;dur=0.4`.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-Seed": {
        "description": "The seed of the draws, which repeats them; only if there were draws.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-Clipped-Numbers": {
        "description": "The count of numbers that were moved into the range of the training samples; only if any were.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "X-Filled-Numbers": {
        "description": "The count of missing numbers that the manifest's `fill` stood in for; only if there were any.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Retry-After": {
        "description": "Seconds after which the request can be sent again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "The scheme of the keys.", "schema": {"type": "string"}},
    "Allow": {"description": "The methods of the address.", "schema": {"type": "string"}},
}
COMMON_HEADERS = ("X-Request-ID", "Server-Timing")
STATUS_HEADERS = {
    "401": ("WWW-Authenticate",),
    "429": ("Retry-After",),
    "503": ("Retry-After",),
    "default": ("Allow", "Retry-After", "WWW-Authenticate"),
}
Operation = dict[str, Any]


def build_document(app: FastAPI, catalog: Catalog, version: str, settings: Settings) -> dict[str, Any]:
    """Return the whole document, as a JSON object."""
    document = get_openapi(
        title="Hourglass",
        version=version,
        description=DESCRIPTION,
        routes=app.routes,
        contact={"name": "The Hourglass authors"},
        license_info={"name": "MIT", "identifier": "MIT"},
        tags=[{"name": name, "description": description} for name, description in TAGS.items()],
    )
    document["paths"] = _all_paths(document["paths"], catalog)
    default = next(iter(catalog))
    for path, operation in _operations(document):
        _document_parameters(operation, _example_of(path, catalog, default))
        optional = {
            "X-Seed": _has_parameter(operation, "seed"),
            "X-Clipped-Numbers": "requestBody" in operation,
            "X-Filled-Numbers": "requestBody" in operation,
        }
        _document_headers(operation["responses"], *(name for name, possible in optional.items() if possible))
    components = document["components"]
    components["examples"] = error_examples()
    components["headers"] = HEADERS
    components["responses"] = _responses_anywhere(document)
    add_schemas(document)
    describe_access(document, settings)
    return document


def _responses_anywhere(document: dict[str, Any]) -> dict[str, Any]:
    """
    Return `components/responses`, and let each operation refer to those that any address can answer.

    They are the `default`: some generators of clients cannot read a range, such as `4XX`.
    """
    for _, operation in _operations(document):
        operation["responses"].setdefault("400", {"$ref": RESPONSE_REF.format(MalformedRequest.__name__)})
        operation["responses"]["default"] = {"$ref": RESPONSE_REF.format(REFUSAL)}
    responses = responses_anywhere()
    for status, response in responses.values():
        _document_headers({status: response})
    return {name: response for name, (_, response) in responses.items()}


def _all_paths(routes: dict[str, Any], catalog: Catalog) -> dict[str, Any]:
    """Return FastAPI's routes and the operations of the tables, in the order of the page."""
    first = {path: methods for path, methods in routes.items() if path.startswith("/v1")}
    for path, methods in first.items():
        possible = codes(model="{model}" in path, version="{version}" in path, task=False, takes=None)
        possible += DRIFT_CODES if path.endswith("/drift") else ()
        responses = methods["get"]["responses"]
        responses.pop("422", None)  # FastAPI's, which no route of /v1 gives
        responses.update(error_responses(possible))
    tables = {**task_operations(catalog), **infer_operations(catalog)}
    return first | {path: {"post": operation} for path, operation in tables.items()} | routes


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def _example_of(path: str, catalog: Catalog, default: ServedModel) -> ServedModel | None:
    """Return the model for the examples of a path: one that supports its task."""
    task = path.rpartition("/")[2]
    return example_model(catalog, task) if path.startswith("/v1") and task in TASKS else default


def _document_parameters(operation: Operation, model: ServedModel | None) -> None:
    """Give the parameters examples, and the number of a version of /v1 its type."""
    examples = parameter_examples(model) if model else {}
    parameters = operation.get("parameters", [])
    names = {parameter["name"] for parameter in parameters}
    for parameter in parameters:
        if parameter["name"] == "version" and "name" not in names:
            parameter["schema"] = WHOLE_NUMBER
        if parameter["name"] in examples:
            example = examples[parameter["name"]]
            parameter["example"] = str(example) if parameter["schema"]["type"] == "string" else example


def _document_headers(answers: dict[str, Any], *of_success: str) -> None:
    for status, answer in answers.items():
        more = of_success if status == "200" else STATUS_HEADERS.get(status, ())
        if "$ref" in answer:
            continue
        headers = answer.setdefault("headers", {})
        for name in (*more, *COMMON_HEADERS):
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _has_parameter(operation: Operation, name: str) -> bool:
    return any(parameter["name"] == name for parameter in operation.get("parameters", ()))
