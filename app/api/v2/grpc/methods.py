"""The methods of gRPC, as an ASGI application behind the guard: its path is the method, its body the message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any, NamedTuple, NoReturn

from google.protobuf.json_format import ParseDict
from starlette.types import Receive, Scope, Send

from app.api.request_body import read_body
from app.api.state import State
from app.api.v2.grpc import open_inference_pb2 as pb
from app.api.v2.grpc.health import check_health, list_health
from app.api.v2.grpc.infer import InferMethod
from app.api.v2.grpc.messages import parse_message
from app.api.v2.models import Entries, Entry, server_metadata
from app.api.v2.repository import check_load_parameters, controllable, index, model_name
from app.api.v2.shared_memory.routes import CUDA_REFUSAL
from app.errors import Refused, ShuttingDown, UnknownModel, UnknownVersion
from app.server.gate import EXCHANGE, RETRY, Exchange
from app.server.grpc_paths import HEALTH_SERVICE, SERVICE
from app.times import now

Serve = Callable[[Any, State], Awaitable[Any]]


class Method(NamedTuple):
    """A method other than ModelInfer."""

    request: Any
    """The class of its message."""
    serve: Serve
    """Takes a message and the state, and returns a message. Raises ServiceError."""


class Methods:
    """The application of all methods."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._infer = InferMethod(state)
        self._ends = False

    def refuse(self) -> None:
        """
        Refuse calls from now on.

        Once gRPC's server stops, it cancels the calls that it has accepted and not begun: clients do not send those
        again, as they do what is UNAVAILABLE.
        """
        self._ends = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call. Errors are raised for the gate."""
        exchange: Exchange = scope[EXCHANGE]
        exchange.route = path = scope["path"]
        if self._ends:
            raise ShuttingDown("the server ends; send the request again", headers=RETRY)
        if path == INFER:
            return await self._infer(exchange, receive)
        if path == STREAM:
            raise Refused("ModelStreamInfer is not offered, since each request has one answer: call ModelInfer")
        method = METHODS[path]
        content = await read_body(receive, exchange, self._state)
        exchange.bytes_in, exchange.times.received = len(content), now()
        answer = await method.serve(parse_message(method.request, content), self._state)
        return await exchange.respond([], answer.SerializeToString())


def find_entry(state: State, name: str, version: str) -> Entry:
    """Return the version of a model, by default the largest. Raises UnknownModel or UnknownVersion."""
    return state.catalog.view(Entries).get(name, version or None)


async def server_live(_request: pb.ServerLiveRequest, _state: State) -> pb.ServerLiveResponse:
    """Answer as long as the process answers at all."""
    return pb.ServerLiveResponse(live=True)


async def server_ready(_request: pb.ServerReadyRequest, state: State) -> pb.ServerReadyResponse:
    """Return True from the end of the start to the drain."""
    return pb.ServerReadyResponse(ready=state.ready)


async def model_ready(request: pb.ModelReadyRequest, state: State) -> pb.ModelReadyResponse:
    """Return True if the model is served, as Triton does for any name."""
    try:
        find_entry(state, request.name, request.version)
    except (UnknownModel, UnknownVersion):
        return pb.ModelReadyResponse(ready=False)
    return pb.ModelReadyResponse(ready=True)


async def describe_server(_request: pb.ServerMetadataRequest, state: State) -> pb.ServerMetadataResponse:
    """Return the server's name and version, and the extensions that it supports."""
    return pb.ServerMetadataResponse(**server_metadata(state))


async def model_metadata(request: pb.ModelMetadataRequest, state: State) -> Any:
    """Return a model's inputs and outputs."""
    return ParseDict(find_entry(state, request.name, request.version).metadata(), pb.ModelMetadataResponse())


async def model_config(request: pb.ModelConfigRequest, state: State) -> Any:
    """Return a model's configuration."""
    config = find_entry(state, request.name, request.version).config(state)
    return ParseDict({"config": config}, pb.ModelConfigResponse())


async def model_statistics(request: pb.ModelStatisticsRequest, state: State) -> Any:
    """Return the statistics of a version of a model, or of all models."""
    entries: Collection[Entry] = list(state.catalog.view(Entries))
    if request.name:
        entries = [find_entry(state, request.name, request.version)]
    return ParseDict({"model_stats": [entry.statistics() for entry in entries]}, pb.ModelStatisticsResponse())


async def repository_index(request: pb.RepositoryIndexRequest, state: State) -> pb.RepositoryIndexResponse:
    """Return every version of every model of the repository, or only those that are served."""
    listed = [entry.model_dump() for entry in index(state.catalog, request.ready)]
    return pb.RepositoryIndexResponse(models=[pb.RepositoryIndexResponse.ModelIndex(**entry) for entry in listed])


async def load_model(request: pb.RepositoryModelLoadRequest, state: State) -> pb.RepositoryModelLoadResponse:
    """Load all versions of a model that are new or changed."""
    reloader = controllable(state)
    check_load_parameters(request.parameters)
    name = request.model_name or request.repository_name
    await reloader.load_model(model_name(name, state.catalog))
    return pb.RepositoryModelLoadResponse(model_name=name, isLoaded=True)


async def unload_model(request: pb.RepositoryModelUnloadRequest, state: State) -> pb.RepositoryModelUnloadResponse:
    """Stop serving a model, until it is loaded again or the server restarts."""
    reloader = controllable(state)
    check_load_parameters(request.parameters)
    name = request.model_name or request.repository_name
    await reloader.unload_model(model_name(name, state.catalog))
    return pb.RepositoryModelUnloadResponse(model_name=name, isUnloaded=True)


async def region_status(request: pb.SystemSharedMemoryStatusRequest, state: State) -> Any:
    """Return the status of a region, or of all."""
    regions = {region.name: region._asdict() for region in state.regions.status(request.name)}
    status = pb.SystemSharedMemoryStatusResponse.RegionStatus
    return pb.SystemSharedMemoryStatusResponse(regions={name: status(**region) for name, region in regions.items()})


async def register_region(request: pb.SystemSharedMemoryRegisterRequest, state: State) -> Any:
    """Register a part of a file in /dev/shm."""
    state.regions.register(request.name, request.key, request.offset, request.byte_size)
    return pb.SystemSharedMemoryRegisterResponse()


async def unregister_region(request: pb.SystemSharedMemoryUnregisterRequest, state: State) -> Any:
    """Forget a region, or all."""
    state.regions.unregister(request.name)
    return pb.SystemSharedMemoryUnregisterResponse()


async def refuse_cuda(_request: object, _state: State) -> NoReturn:
    """Refuse what models on the CPU cannot use."""
    raise Refused(CUDA_REFUSAL)


INFER, STREAM = SERVICE + "ModelInfer", SERVICE + "ModelStreamInfer"
METHODS = {
    SERVICE + "ServerLive": Method(pb.ServerLiveRequest, server_live),
    SERVICE + "ServerReady": Method(pb.ServerReadyRequest, server_ready),
    SERVICE + "ModelReady": Method(pb.ModelReadyRequest, model_ready),
    SERVICE + "ServerMetadata": Method(pb.ServerMetadataRequest, describe_server),
    SERVICE + "ModelMetadata": Method(pb.ModelMetadataRequest, model_metadata),
    SERVICE + "ModelConfig": Method(pb.ModelConfigRequest, model_config),
    SERVICE + "ModelStatistics": Method(pb.ModelStatisticsRequest, model_statistics),
    SERVICE + "RepositoryIndex": Method(pb.RepositoryIndexRequest, repository_index),
    SERVICE + "RepositoryModelLoad": Method(pb.RepositoryModelLoadRequest, load_model),
    SERVICE + "RepositoryModelUnload": Method(pb.RepositoryModelUnloadRequest, unload_model),
    SERVICE + "SystemSharedMemoryStatus": Method(pb.SystemSharedMemoryStatusRequest, region_status),
    SERVICE + "SystemSharedMemoryRegister": Method(pb.SystemSharedMemoryRegisterRequest, register_region),
    SERVICE + "SystemSharedMemoryUnregister": Method(pb.SystemSharedMemoryUnregisterRequest, unregister_region),
    SERVICE + "CudaSharedMemoryStatus": Method(pb.CudaSharedMemoryStatusRequest, refuse_cuda),
    SERVICE + "CudaSharedMemoryRegister": Method(pb.CudaSharedMemoryRegisterRequest, refuse_cuda),
    SERVICE + "CudaSharedMemoryUnregister": Method(pb.CudaSharedMemoryUnregisterRequest, refuse_cuda),
    HEALTH_SERVICE + "Check": Method(*check_health),
    HEALTH_SERVICE + "List": Method(*list_health),
}
"""Every method with one message and one answer, except ModelInfer, by its path."""
