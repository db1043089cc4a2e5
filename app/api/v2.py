"""
/v2, the Open Inference Protocol, for clients that speak it already. Every task of every model is a model of its own.

Answers here are never compressed but where `app.api.inference` does it: asyncio's tritonclient reads no others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import version as package_version
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Request, Response

from app.api.bodies import read_body
from app.api.documented_errors import OF_INFERENCE
from app.api.documented_errors import responses as problem_responses
from app.api.inference import Inference
from app.api.inference_models import InferenceModel, InferenceModels
from app.api.service import CurrentService, Service
from app.api.tasks import Application, TaskRoute
from app.api.tensor_replies import OCTETS
from app.api.tracing import trace_of
from app.api.v2_schemas import (
    INFERENCE_BODY,
    INFERENCE_HEADER,
    IndexEntry,
    InferenceAnswer,
    Live,
    ModelConfig,
    ModelMetadata,
    ModelNames,
    ModelReady,
    ModelStatistics,
    Ready,
    ServerMetadata,
    Statistics,
)
from app.errors import MalformedBody, Refused
from app.formats.json_arrays import load

EXTENSIONS = ["binary_tensor_data", "model_repository", "model_configuration", "statistics", "parameters"]

Told = TypeVar("Told")
Responses = dict[int | str, dict[str, Any]]

router = APIRouter(prefix="/v2")

Name = Annotated[str, Path(description="A task of a model, such as `mnist-vae.encode`; GET /v2/models lists them.")]
Version = Annotated[str, Path(description="A version of the model: a whole number from 1, or `latest`.")]


def inference_models(request: Request) -> InferenceModels:
    """The tasks of the models of the application that got the request."""
    found: InferenceModels = request.app.state.inference_models
    return found


CurrentModels = Annotated[InferenceModels, Depends(inference_models)]


def named_model(models: CurrentModels, name: Name) -> InferenceModel:
    """The largest version of the model that the path names."""
    return models.get(name)


def named_version(models: CurrentModels, name: Name, version: Version) -> InferenceModel:
    """The version that the path names."""
    return models.get(name, version)


def problems(*statuses: int) -> Responses:
    """Errors of a route, as problem documents."""
    possible = problem_responses(OF_INFERENCE)
    return {status: possible[str(status)] for status in statuses}


def documented(operation: str, summary: str, *statuses: int, answers: Responses | None = None) -> dict[str, Any]:
    """What every route says of itself: the statuses of its errors, and its other answers beside 200."""
    responses = problems(*statuses, 500) | (answers or {})
    return {"operation_id": operation, "summary": summary, "tags": ["open inference protocol"], "responses": responses}


@router.get("", **documented("get_server_metadata", "What the server is and what it can"))
@router.get("/", include_in_schema=False)
async def server_metadata() -> ServerMetadata:
    """The server, its version, and the extensions of the protocol that it has."""
    return ServerMetadata(name="hourglass", version=package_version("hourglass"), extensions=EXTENSIONS)


@router.get("/health/live", **documented("get_server_live", "Does the process answer"))
@router.api_route("/health/live", methods=["GET", "HEAD"], include_in_schema=False)
async def server_live() -> Live:
    """The process answers."""
    return Live(live=True)


@router.get("/health/ready", **documented("get_server_ready", "Can it serve", answers={503: {"model": Ready}}))
@router.api_route("/health/ready", methods=["GET", "HEAD"], include_in_schema=False)
async def server_ready(service: CurrentService, response: Response) -> Ready:
    """The models are loaded, checked and warm; 503 where they are not."""
    response.status_code = 200 if service.ready else 503
    return Ready(ready=service.ready)


@router.get("/models", **documented("list_inference_models", "The names of all models"))
async def list_models(models: CurrentModels) -> ModelNames:
    """Every task of every model, named `{model}.{task}`."""
    return ModelNames(models=models.names())


@router.get("/models/stats", **documented("get_all_statistics", "What all models have done"))
async def all_statistics(models: CurrentModels) -> Statistics:
    """What every version of every model has done since this process started."""
    return Statistics(model_stats=[ModelStatistics(**model.statistics()) for model in models])


def about_a_model(
    path: str, operation: str, summary: str
) -> Callable[[Callable[[InferenceModel], Told]], Callable[[InferenceModel], Told]]:
    """Register what there is to tell of a model, on two routes: of its largest version, and of one by its number."""

    def register(function: Callable[[InferenceModel], Told]) -> Callable[[InferenceModel], Told]:
        for found, version, suffix in ((named_model, "", ""), (named_version, "/versions/{version}", "_version")):

            async def endpoint(model: InferenceModel = Depends(found)) -> Any:  # noqa: B008 - FastAPI's way
                return function(model)

            router.add_api_route(
                f"/models/{{name}}{version}{path}",
                endpoint,
                response_model=inspect.get_annotations(function, eval_str=True)["return"],
                response_model_exclude_unset=True,
                description=inspect.getdoc(function),
                **documented(operation + suffix, summary, 404, 422),
            )
        return function

    return register


@about_a_model("", "get_model_metadata", "The inputs and outputs of a model")
def model_metadata(model: InferenceModel) -> ModelMetadata:
    """The inputs and outputs of a model; -1 is a length that varies, and the first axis is the batch."""
    return ModelMetadata(**model.metadata())


@about_a_model("/ready", "get_model_ready", "Can a model be asked")
def model_ready(model: InferenceModel) -> ModelReady:
    """A model is served from the start, or not at all."""
    return ModelReady(name=model.name, ready=True)


@about_a_model("/config", "get_model_config", "The configuration of a model")
def model_config(model: InferenceModel) -> ModelConfig:
    """The configuration of a model, as Triton's clients ask for it."""
    return ModelConfig(**model.config())


@about_a_model("/stats", "get_model_statistics", "What a model has done")
def model_statistics(model: InferenceModel) -> Statistics:
    """
    What a model has done since this process started.

    Requests are those of this protocol. Rows and runs are those of the graphs behind the task, whoever asked for them.
    """
    return Statistics(model_stats=[ModelStatistics(**model.statistics())])


@router.post(
    "/repository/index", **documented("get_repository_index", "All models and their state", 400, 413, 415, 422)
)
async def repository_index(request: Request, models: CurrentModels, service: CurrentService) -> list[IndexEntry]:
    """Every version of every model, each of which is ready. The body may be empty, or say which are asked for."""
    content = await read_body(request.receive, trace_of(request.scope).headers, service)
    body = load(content, '{"ready": true}') if content.strip() else {}
    if not isinstance(body, dict) or not isinstance(body.get("ready", True), bool):
        raise MalformedBody(f'expected {{"ready": true}}, {{"ready": false}} or no body, got {content[:60]!r}')
    return [IndexEntry(name=model.name, version=model.version, state="READY", reason="") for model in models]


@router.post(
    "/repository/models/{name}/load", **documented("load_model", "Refused: models load at the start", 403, 422)
)
@router.post("/repository/models/{name}/unload", **documented("unload_model", "Refused: models stay", 403, 422))
async def refuse_to_load(name: Name) -> None:
    """Models are loaded when the server starts, and stay."""
    raise Refused("models are loaded when the server starts, from its model repository, and stay until it ends")


def install(app: Application, service: Service) -> None:
    """Give the application the routes of the protocol."""
    app.state.inference_models = InferenceModels(service)
    inference = Inference(app.state.inference_models, service)
    for version, found, suffix in (("", named_model, ""), ("/versions/{version}", named_version, "_version")):
        app.router.add_api_route(
            f"/v2/models/{{name}}{version}/infer",
            inference_route(inference, found),
            methods=["POST"],
            route_class_override=TaskRoute,
            response_model=None,
            response_class=Response,
            openapi_extra={"requestBody": INFERENCE_BODY, "parameters": [INFERENCE_HEADER]},
            **inference_documented(suffix),
        )
    app.include_router(router)


def inference_documented(suffix: str) -> dict[str, Any]:
    """What the routes of inference say of themselves."""
    binary = {OCTETS: {"schema": {"type": "string", "format": "binary"}}}
    answers: Responses = {200: {"model": InferenceAnswer, "description": "The outputs.", "content": binary}}
    return documented("infer" + suffix, "Ask a model", 400, 403, 404, 413, 415, 422, 503, 504, answers=answers)


def inference_route(inference: Inference, found: Callable[..., InferenceModel]) -> Callable[..., Any]:
    """A function for FastAPI to document; the path's parameters are those of the function that finds the model."""

    def infer(model: InferenceModel = Depends(found)) -> None:  # noqa: B008
        """
        Ask a task of a model: tensors in, tensors out, as JSON or as bytes after it.

        Options of the task, such as `seed`, are `parameters` of the request.
        """
        raise AssertionError("TaskRoute answers")

    infer.answered_by = inference  # type: ignore[attr-defined]
    return infer
