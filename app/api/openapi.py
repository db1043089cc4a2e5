"""
The OpenAPI document: what FastAPI derives from the routes, and what it cannot know.

Bodies are read by our own code, so their schemas are added here, with examples that work on the models that are served;
and every error is a problem document.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.api.bodies import Member
from app.api.negotiation import JSON, NPY, PNG
from app.api.problems import PROBLEM_JSON, Problem
from app.api.schemas import LatentsIn, SamplesIn
from app.engine.autoencoder import Autoencoder
from app.engine.repository import ModelRepository
from app.formats.images import FORMATS
from app.manifest import Task

Array = npt.NDArray[np.float32]

DESCRIPTION = """
Autoencoders over REST: encode, decode, reconstruct, denoise, generate, interpolate.

The body is the data, the query is the options. Samples go in as JSON, as a `.npy` file or as an image, and come back as
JSON or, as `Accept` says, as a `.npy` file or a picture: one sample alone, several as a grid. Errors are problem
documents (RFC 9457).
"""

REF = "#/components/schemas/{model}"
BODIES: dict[Member, type[BaseModel]] = {"samples": SamplesIn, "latents": LatentsIn}
BINARY = {"type": "string", "format": "binary"}
ERRORS = {
    400: "The body is not what its content type says.",
    404: "There is no such model or version, or the model was not made for this task.",
    406: "None of the accepted formats can be given.",
    413: "The body, the image or the number of rows is too large.",
    415: "The content type cannot be taken.",
    422: "The model cannot take the input, or an option is wrong.",
    500: "A bug.",
    503: "Too many rows are waiting; Retry-After says when to try again.",
    504: "No thread was free to run the model in time.",
}
ERRORS_BY_METHOD = {"get": (404, 422, 500), "post": tuple(ERRORS)}
WITHOUT_BODY = {400, 415}
LARGEST_EXAMPLE = 128 * 128
"""Numbers of a sample or of its latents; the page shows larger bodies too slowly, and nobody reads them."""
DEFAULT_MODELS: dict[Task, str] = {"decode": "2d", "generate": "vae"}
"""
Where several models can do a task, the example prefers one whose name holds this: two latents are easy to edit. Of
those, and of all where none does, it takes the first with the smallest samples.
"""


def build_openapi(app: FastAPI, repository: ModelRepository, version: str) -> dict[str, Any]:
    """The whole document, as a JSON object."""
    document = get_openapi(
        title="Hourglass", version=version, description=DESCRIPTION, routes=app.routes, license_info={"name": "MIT"}
    )
    schemas = document["components"]["schemas"]
    _, ours = models_json_schema([(m, "validation") for m in (SamplesIn, LatentsIn, Problem)], ref_template=REF)
    schemas.update(ours["$defs"])
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for method, path, operation in _operations(document):
        if path.startswith("/v1"):
            _document_errors(method, operation)
        extra = operation.pop("x-hourglass", None)
        if extra:
            _document_task(operation, repository, **extra)
        elif "{model}" in path:
            _set_examples(operation, next(iter(repository)))
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def _document_errors(method: str, operation: dict[str, Any]) -> None:
    problem = {"content": {PROBLEM_JSON: {"schema": {"$ref": REF.format(model="Problem")}}}}
    for status in ERRORS_BY_METHOD[method]:
        if status not in WITHOUT_BODY or operation.get("x-hourglass", {}).get("takes"):
            operation["responses"][str(status)] = {"description": ERRORS[status], **problem}


def _document_task(
    operation: dict[str, Any], repository: ModelRepository, task: Task, gives: Member, takes: Member | None = None
) -> None:
    model = _example_model(repository, task)
    _set_examples(operation, model)
    binary = {"schema": BINARY}
    operation["responses"]["200"]["content"].update({NPY: binary} | ({PNG: binary} if gives == "samples" else {}))
    if takes:
        body = {"schema": {"$ref": REF.format(model=BODIES[takes].__name__)}}
        content: dict[str, Any] = {JSON: body | _example_body(model, task), NPY: binary}
        if takes == "samples" and task != "interpolate":  # which takes two
            content.update(dict.fromkeys(FORMATS, binary))
        operation["requestBody"] = {"required": True, "content": content}


def _example_model(repository: ModelRepository, task: Task) -> Autoencoder | None:
    able = repository.able_to(task)
    preferred = [model for model in able if DEFAULT_MODELS.get(task, "") in model.manifest.name]
    return min(preferred or able, key=lambda model: model.manifest.input_size, default=None)


def _set_examples(operation: dict[str, Any], model: Autoencoder | None) -> None:
    """Parameters that a model takes; a label where it is conditional."""
    if model is None:
        return
    manifest = model.manifest
    examples: dict[str, Any] = {"model": manifest.name, "version": manifest.version}
    if manifest.labels:
        examples["label"] = manifest.labels[0]
    for parameter in operation["parameters"]:
        if parameter["name"] in examples:
            parameter["example"] = examples[parameter["name"]]


def _example_body(model: Autoencoder | None, task: Task) -> dict[str, Any]:
    """
    A body that the model takes: what it decodes from the middle of its latent space, in few digits.

    None at all where no model is able, or where a row is too long for a page.
    """
    if model is None:
        return {}
    manifest = model.manifest
    if max(manifest.input_size, manifest.latent_dim) > LARGEST_EXAMPLE:
        return {}
    latents = np.zeros((2 if task == "interpolate" else 1, manifest.latent_dim), np.float32)
    if task == "decode":
        return {"example": {"latents": latents.tolist()}}
    latents[1:] = 1.0
    samples = model.decode(latents, *manifest.labels[:1]).reshape(len(latents), -1)
    value_range = manifest.input.value_range
    rounded = np.round(samples.astype(np.float64), 2)
    if value_range:
        rounded = np.clip(rounded, value_range.low, value_range.high)
    return {"example": {"samples": rounded.tolist()}}
