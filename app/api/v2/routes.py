"""
The routes of /v2.

Only `app.api.v2.infer` compresses answers: tritonclient's asyncio client cannot read other compressed answers.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response
from starlette.routing import Route

from app.api.current import CurrentState
from app.api.docs.errors import INFER_CODES, error_responses
from app.api.negotiation import JSON
from app.api.reloader import Reloader
from app.api.request_body import read_plain_body
from app.api.v2.infer import INFER_PATHS, InferEndpoint
from app.api.v2.models import Entries, Entry, server_metadata
from app.api.v2.repository import check_load_request, controllable, index, model_name, read_index_request
from app.api.v2.schemas import (
    IndexEntry,
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
from app.server.gate import EXCHANGE

TAG = "open inference protocol"

router = APIRouter(prefix="/v2", tags=[TAG])

Name = Annotated[str, Path(description="A task of a model, such as `mnist-vae.encode`; GET /v2/models lists them.")]
Version = Annotated[str, Path(description="A version of the model: a whole number from 1, or `latest`.")]


def entries(state: CurrentState) -> Entries:
    """Return all entries of the current catalog."""
    return state.catalog.view(Entries)


async def request_body(request: Request, state: CurrentState) -> bytes:
    """Return the body of the request."""
    return await read_plain_body(request.receive, request.scope[EXCHANGE], state)


def reloader(state: CurrentState) -> Reloader:
    """Return the reloader. Raises Refused, before the body is read, unless clients may load and unload models."""
    return controllable(state)


CurrentEntries = Annotated[Entries, Depends(entries)]


Control = Annotated[Reloader, Depends(reloader)]
Content = Annotated[bytes, Depends(request_body)]


def default_entry(entries: CurrentEntries, name: Name) -> Entry:
    """Return the largest version of the model in the path."""
    return entries.get(name)


def named_entry(entries: CurrentEntries, name: Name, version: Version) -> Entry:
    """Return the version in the path."""
    return entries.get(name, version)


DefaultEntry = Annotated[Entry, Depends(default_entry)]
NamedEntry = Annotated[Entry, Depends(named_entry)]


def documented(operation: str, summary: str, *statuses: int, answers: dict[int | str, Any] | None = None) -> Any:
    """Return the documentation of a route: the statuses of its errors, and its other answers beside 200."""
    problems = error_responses(INFER_CODES | {"load-failed"}, JSON)
    responses: dict[int | str, Any] = {status: problems[str(status)] for status in (*statuses, 500)}
    return {
        "operation_id": operation,
        "summary": summary,
        "responses": responses | (answers or {}),
        "response_model_exclude_unset": True,
    }


@router.get("", **documented("get_server_metadata", "Get server metadata"))
@router.get("/", include_in_schema=False)
async def get_server_metadata(state: CurrentState) -> ServerMetadata:
    """Return the server's name and version, and the extensions of the protocol that it supports."""
    return ServerMetadata(**server_metadata(state))


@router.get("/health/live", **documented("get_server_live", "Check liveness"))
@router.api_route("/health/live", methods=["GET", "HEAD"], include_in_schema=False)
async def server_live() -> Live:
    """Answer 200 as long as the process answers at all."""
    return Live(live=True)


@router.get("/health/ready", **documented("get_server_ready", "Check readiness", answers={503: {"model": Ready}}))
@router.api_route("/health/ready", methods=["GET", "HEAD"], include_in_schema=False)
async def server_ready(state: CurrentState, response: Response) -> Ready:
    """Answer 200 if the models are loaded, checked and warm, or else 503."""
    response.status_code = 200 if state.ready else 503
    return Ready(ready=state.ready)


@router.get("/models", **documented("list_inference_models", "List models"))
async def list_models(entries: CurrentEntries) -> ModelNames:
    """Return the name of every task of every model: `{model}.{task}`."""
    return ModelNames(models=entries.names())


@router.get("/models/stats", **documented("get_all_statistics", "Get all statistics"))
async def all_statistics(entries: CurrentEntries) -> Statistics:
    """Return the statistics of every version of every model since this process started."""
    return Statistics(model_stats=[ModelStatistics(**entry.statistics()) for entry in entries])


@router.get("/models/{name}", **documented("get_model_metadata", "Get model metadata", 404, 422))
async def model_metadata(entry: DefaultEntry) -> ModelMetadata:
    """Return a model's inputs and outputs; -1 is a length that varies, and the first axis is the batch."""
    return ModelMetadata(**entry.metadata())


@router.get(
    "/models/{name}/versions/{version}", **documented("get_model_metadata_version", "Get version metadata", 404, 422)
)
async def version_metadata(entry: NamedEntry) -> ModelMetadata:
    """Return a version's inputs and outputs; -1 is a length that varies, and the first axis is the batch."""
    return ModelMetadata(**entry.metadata())


@router.get("/models/{name}/ready", **documented("get_model_ready", "Check model readiness", 404, 422))
async def model_ready(entry: DefaultEntry) -> ModelReady:
    """Answer 200 if the model is served: all served models are ready."""
    return ModelReady(name=entry.name, ready=True)


@router.get(
    "/models/{name}/versions/{version}/ready",
    **documented("get_model_ready_version", "Check version readiness", 404, 422),
)
async def version_ready(entry: NamedEntry) -> ModelReady:
    """Answer 200 if the version is served: all served versions are ready."""
    return ModelReady(name=entry.name, ready=True)


@router.get("/models/{name}/config", **documented("get_model_config", "Get model configuration", 404, 422))
async def model_config(entry: DefaultEntry, state: CurrentState) -> ModelConfig:
    """Return a model's configuration, as Triton's clients ask for it."""
    return ModelConfig(**entry.config(state))


@router.get(
    "/models/{name}/versions/{version}/config",
    **documented("get_model_config_version", "Get version configuration", 404, 422),
)
async def version_config(entry: NamedEntry, state: CurrentState) -> ModelConfig:
    """Return a version's configuration, as Triton's clients ask for it."""
    return ModelConfig(**entry.config(state))


@router.get("/models/{name}/stats", **documented("get_model_statistics", "Get model statistics", 404, 422))
async def model_statistics(entry: DefaultEntry) -> Statistics:
    """
    Return a model's statistics since this process started.

    Requests are those of this protocol. Rows and runs are those of the graphs behind the task, for whichever protocol.
    """
    return Statistics(model_stats=[ModelStatistics(**entry.statistics())])


@router.get(
    "/models/{name}/versions/{version}/stats",
    **documented("get_model_statistics_version", "Get version statistics", 404, 422),
)
async def version_statistics(entry: NamedEntry) -> Statistics:
    """Return a version's statistics since this process started."""
    return Statistics(model_stats=[ModelStatistics(**entry.statistics())])


@router.post("/repository/index", **documented("get_repository_index", "List all versions", 400, 413, 415, 422))
async def repository_index(content: Content, state: CurrentState) -> list[IndexEntry]:
    """
    Return every version of every model of the repository.

    Those that are not served have the state UNAVAILABLE and a reason. The body may be empty; `{"ready": true}` leaves
    them out.
    """
    return index(state.catalog, read_index_request(content))


@router.post(
    "/repository/models/{name}/load", **documented("load_model", "Load a model", 400, 403, 404, 409, 413, 415, 422)
)
async def load_model(reloader: Control, name: Name, content: Content, state: CurrentState) -> list[IndexEntry]:
    """
    Load all versions of a model that are new or changed, and return its part of the index.

    The name is one of the index; all tasks of the model are loaded together. Refused unless HOURGLASS_CONTROL is set.
    """
    check_load_request(content)
    model = model_name(name, state.catalog)
    await reloader.load_model(model)
    return [entry for entry in index(state.catalog) if model_name(entry.name, state.catalog) == model]


@router.post(
    "/repository/models/{name}/unload", **documented("unload_model", "Unload a model", 400, 403, 404, 413, 415, 422)
)
async def unload_model(reloader: Control, name: Name, content: Content, state: CurrentState) -> list[IndexEntry]:
    """
    Stop serving a model, until it is loaded again or the server restarts, and return its part of the index.

    The name is one of the index; all tasks of the model are unloaded together. Refused unless HOURGLASS_CONTROL is set,
    and for the last model.
    """
    check_load_request(content)
    model = model_name(name, state.catalog)
    await reloader.unload_model(model)
    return [entry for entry in index(state.catalog) if model_name(entry.name, state.catalog) == model]


def install(app: FastAPI, endpoint: InferEndpoint) -> None:
    """Add the routes of /v2 to the application."""
    for path in INFER_PATHS:
        app.router.routes.append(Route(path, endpoint, methods=["POST"]))
    app.include_router(router)
