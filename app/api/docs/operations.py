"""The OpenAPI operations of tasks and of inference, written from the table of tasks."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from app.api.docs.errors import INFER_CODES, codes, error_responses
from app.api.docs.examples import body_examples, example_model, infer_examples
from app.api.docs.schemas import SCHEMA_REF, forbid_null
from app.api.negotiation import FORM, JSON, NPY
from app.api.v1.body import request_types
from app.api.v1.reply import response_types
from app.api.v1.routes import ModelName, VersionNumber
from app.api.v1.schemas import LatentsIn, SamplesBody, SamplesIn, answer_name
from app.api.v2.routes import TAG, Name, Version
from app.api.v2.schemas import INFERENCE_BODY, INFERENCE_HEADER, InferenceAnswer
from app.engine.catalog import Catalog
from app.engine.served import ServedModel
from app.formats.images import FORMATS
from app.options import Options
from app.tasks import TASKS, InputName, Task

Operation = dict[str, Any]

BINARY = {"type": "string", "format": "binary"}
BODIES: dict[InputName, type[BaseModel]] = {"samples": SamplesIn, "latents": LatentsIn}


def task_operations(catalog: Catalog) -> dict[str, Operation]:
    """Return the operation of every task by its path: one for the default version, one for any version."""
    operations = {}
    for name, task in TASKS.items():
        operations[f"/v1/models/{{model}}/{name}"] = _task_operation(name, task, catalog, versioned=False)
        operations[f"/v1/models/{{model}}/versions/{{version}}/{name}"] = _task_operation(
            name, task, catalog, versioned=True
        )
    return operations


def infer_operations(catalog: Catalog) -> dict[str, Operation]:
    """Return the operations of inference by their paths."""
    model = next(iter(catalog))
    return {
        "/v2/models/{name}/infer": _infer_operation(model, versioned=False),
        "/v2/models/{name}/versions/{version}/infer": _infer_operation(model, versioned=True),
    }


def _task_operation(name: str, task: Task, catalog: Catalog, *, versioned: bool) -> Operation:
    able, example = catalog.able_to(name), example_model(catalog, name)
    response_media = {kind for model in able for kind in response_types(model.takes_images, task)} - {JSON}
    content = {JSON: {"schema": _ref(answer_name(name, task))}}
    content |= {kind: {"schema": BINARY} for kind in sorted(response_media or {NPY})}
    path = [_path_parameter("model", ModelName)]
    if versioned:
        path.append(_path_parameter("version", VersionNumber))
    possible = codes(model=True, version=versioned, task=True, takes=task.takes)
    operation = {
        "tags": ["tasks of one version" if versioned else "tasks"],
        "summary": task.summary,
        "description": task.description,
        "operationId": f"{name}_version" if versioned else name,
        "parameters": [*path, *_query_parameters(task.options)],
        "responses": {
            "200": {"description": "The arrays, in the accepted format.", "content": content},
            **error_responses(possible),
        },
    }
    if task.takes:
        request_media = {kind for model in able for kind in request_types(model.takes_images, task.takes)}
        operation["requestBody"] = {"required": True, "content": _body(task, request_media, example)}
    return operation


def _infer_operation(model: ServedModel, *, versioned: bool) -> Operation:
    path = [_path_parameter("name", Name)]
    if versioned:
        path.append(_path_parameter("version", Version))
    answer = {JSON: {"schema": _ref(InferenceAnswer.__name__)}, "application/octet-stream": {"schema": BINARY}}
    problems = error_responses(INFER_CODES, JSON)
    content = INFERENCE_BODY["content"]
    examples = infer_examples(model, TASKS["encode"])
    return {
        "tags": [TAG],
        "summary": "Run a model",
        "description": "Run a task of a model on tensors, as JSON or as bytes after it.\n\n"
        "Options of the task, such as `seed`, are `parameters` of the request.",
        "operationId": "infer_version" if versioned else "infer",
        "parameters": [*path, INFERENCE_HEADER],
        "requestBody": INFERENCE_BODY | {"content": {**content, JSON: {**content[JSON], "examples": examples}}},
        "responses": {"200": {"description": "The outputs.", "content": answer}, **problems},
    }


def _body(task: Task, media_types: set[str], model: ServedModel | None) -> dict[str, Any]:
    """
    Return the body's schema by media type.

    `.npy` comes last: if several types are files, a client made by openapi-python-client sends the last one's name as
    the Content-Type of all.
    """
    assert task.takes
    images = FORM in media_types
    schema = _ref(SamplesBody.__name__ if images else BODIES[task.takes].__name__)
    examples = body_examples(model, task)
    if not images:
        examples.pop("images", None)
    content: dict[str, Any] = {JSON: {"schema": schema} | ({"examples": examples} if examples else {})}
    if task.rows is None:  # a body that is one image is one sample
        content.update({media_type: {"schema": BINARY} for media_type in FORMATS if media_type in media_types})
    if images:
        encoding = {"images": {"contentType": ", ".join(FORMATS)}}
        content[FORM] = {"schema": _ref("ImageFiles"), "encoding": encoding}
    content[NPY] = {"schema": BINARY}
    return content


def _path_parameter(name: str, annotation: Any) -> dict[str, Any]:
    """Return a parameter of a path; its description is the one that FastAPI's routes have."""
    (path,) = annotation.__metadata__
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "title": name.capitalize()},
        "description": path.description,
    }


def _query_parameters(options: type[Options]) -> list[dict[str, Any]]:
    """Return the options as parameters of the query. None of them is null: an unset option is left out."""
    parameters = []
    for name, schema in options.model_json_schema()["properties"].items():
        forbid_null(schema)
        description = schema["description"]
        parameters.append(
            {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
        )
    return parameters


def _ref(name: str) -> dict[str, str]:
    return {"$ref": SCHEMA_REF.format(model=name)}
