"""
The OpenAPI document: what FastAPI derives from the routes, and what it cannot know.

Bodies are read by our own code, so their schemas are added here, with examples that work on the models that are served;
and every error is a problem document.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.api.bodies import Member, taken
from app.api.documented_errors import codes, examples, responses
from app.api.examples import body_examples, example_model, inference_examples, parameter_examples
from app.api.negotiation import FORM, JSON, NPY
from app.api.problems import Problem
from app.api.replies import offered
from app.api.schemas import ImageFiles, ImagesIn, LatentsIn, SamplesIn
from app.engine.autoencoder import Autoencoder
from app.engine.repository import ModelRepository
from app.formats.images import FORMATS
from app.manifest import Task

DESCRIPTION = """
Autoencoders over REST: encode, decode, reconstruct, denoise, generate, interpolate.

The body is the data, the query is the options. Samples go in as JSON, as a `.npy` file or as images, and come back as
JSON or, as `Accept` says, as a `.npy` file or a picture: one sample alone, several as a grid. A body may be compressed,
as `Content-Encoding` says: gzip or deflate.

Errors are problem documents (RFC 9457), each with a `code` that is stable. An address that is not here answers 404
`not-found`, a method that is not here 405 `method-not-allowed`, and what is no HTTP 400 `malformed-request`.
"""
TAGS = {
    "models": "What is served.",
    "tasks": "Of a model's default version, the largest.",
    "tasks of one version": "The same, of a version by its number.",
    "open inference protocol": "For clients that speak it already: every task of every model is a model of its own.",
    "health": "Probes.",
}

REF = "#/components/schemas/{model}"
BODIES: dict[Member, type[BaseModel]] = {"samples": SamplesIn, "latents": LatentsIn}
BINARY = {"type": "string", "format": "binary"}
WHOLE_NUMBER = {"type": "integer", "minimum": 1}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The request's id: the one that was sent under this name, or a new one. The log has it too.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Server-Timing": {
        "description": "Milliseconds that each part of the work took, such as `compute;dur=0.4`.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-Seed": {
        "description": "Only of draws: the seed that makes them again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Retry-After": {
        "description": "Seconds after which the request can be sent again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Allow": {"description": "The methods that the address has.", "schema": {"type": "string"}},
}
ON_EVERY_ANSWER = ("X-Request-ID", "Server-Timing")
BY_STATUS = {"405": "Allow", "503": "Retry-After"}


def build_openapi(app: FastAPI, repository: ModelRepository, version: str) -> dict[str, Any]:
    """The whole document, as a JSON object."""
    document = get_openapi(
        title="Hourglass",
        version=version,
        description=DESCRIPTION,
        routes=app.routes,
        license_info={"name": "MIT", "identifier": "MIT"},
        tags=[{"name": name, "description": description} for name, description in TAGS.items()],
    )
    components = document["components"]
    for path, operation in _operations(document):
        extra = operation.pop("x-hourglass", None)
        if path.startswith("/v1"):
            _document_errors(path, operation, extra)
        if extra:
            _document_task(operation, repository, **extra)
        elif "{model}" in path or "{name}" in path:
            _document_parameters(operation, next(iter(repository)))
        if path.endswith("/infer"):
            operation["requestBody"]["content"][JSON]["examples"] = inference_examples(next(iter(repository)))
        _document_headers(operation["responses"], drawn=_has_parameter(operation, "seed"))
    components["examples"] = examples()
    components["headers"] = HEADERS
    elsewhere = responses(["method-not-allowed", "malformed-request"])
    _document_headers(elsewhere, drawn=False)
    components["responses"] = {"MethodNotAllowed": elsewhere["405"], "MalformedRequest": elsewhere["400"]}
    _add_schemas(document)
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def _document_errors(path: str, operation: dict[str, Any], extra: dict[str, Any] | None) -> None:
    """Our errors in place of FastAPI's 422, which no route of /v1 gives."""
    operation["responses"].pop("422", None)
    possible = codes(
        model="{model}" in path, version="{version}" in path, task=bool(extra), takes=(extra or {}).get("takes")
    )
    operation["responses"].update(responses(possible))


def _document_task(
    operation: dict[str, Any], repository: ModelRepository, task: Task, gives: Member, takes: Member | None = None
) -> None:
    model = example_model(repository, task)
    _document_parameters(operation, model)
    able = repository.able_to(task)
    given = {media for model in able for media in offered(model, gives)} - {JSON} or {NPY}
    operation["responses"]["200"]["content"].update({media: {"schema": BINARY} for media in sorted(given)})
    if takes:
        sent = {media for model in able for media in taken(model, takes)}
        operation["requestBody"] = {"required": True, "content": _body(takes, task, sent, model)}


def _body(takes: Member, task: Task, sent: set[str], model: Autoencoder | None) -> dict[str, Any]:
    """
    What a body can be, by its media type.

    `.npy` comes last: of the types that are a file, a client made by openapi-python-client names the last as the
    Content-Type of all.
    """
    numbers = {"$ref": REF.format(model=BODIES[takes].__name__)}
    images = FORM in sent
    schema = {"anyOf": [numbers, {"$ref": REF.format(model="ImagesIn")}]} if images else numbers
    found = body_examples(model, task, images)
    content: dict[str, Any] = {JSON: {"schema": schema} | ({"examples": found} if found else {})}
    if task != "interpolate":  # which takes two
        content.update({media: {"schema": BINARY} for media in FORMATS if media in sent})
    if images:
        encoding = {"images": {"contentType": ", ".join(FORMATS)}}
        content[FORM] = {"schema": {"$ref": REF.format(model="ImageFiles")}, "encoding": encoding}
    content[NPY] = {"schema": BINARY}
    return content


def _document_parameters(operation: dict[str, Any], model: Autoencoder | None) -> None:
    """Give the parameters examples, and the version's number its type. No query says null: an option is left out."""
    found = parameter_examples(model) if model else {}
    named = {parameter["name"] for parameter in operation["parameters"]}
    for parameter in operation["parameters"]:
        schema = parameter["schema"]
        if {"type": "null"} in schema.get("anyOf", ()):
            schema |= next(kind for kind in schema.pop("anyOf") if kind != {"type": "null"})
        if parameter["name"] in found:
            parameter["example"] = found[parameter["name"]]
        if parameter["name"] == "version" and "name" not in named:
            parameter["schema"] = WHOLE_NUMBER


def _document_headers(answers: dict[str, Any], *, drawn: bool) -> None:
    for status, answer in answers.items():
        more = [BY_STATUS[status]] if status in BY_STATUS else ["X-Seed"] if drawn and status == "200" else []
        headers = answer.setdefault("headers", {})
        for name in (*more, *ON_EVERY_ANSWER):
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _has_parameter(operation: dict[str, Any], name: str) -> bool:
    return any(parameter["name"] == name for parameter in operation.get("parameters", ()))


def _add_schemas(document: dict[str, Any]) -> None:
    """The schemas of bodies and errors, less those that nothing refers to."""
    schemas = document["components"]["schemas"]
    models = (SamplesIn, LatentsIn, ImagesIn, ImageFiles, Problem)
    _, ours = models_json_schema([(model, "validation") for model in models], ref_template=REF)
    schemas.update(ours["$defs"])
    while unused := {name for name in schemas if f"'{REF.format(model=name)}'" not in str(document)}:
        for name in unused:
            del schemas[name]
