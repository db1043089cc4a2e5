"""The methods of gRPC for regions of shared memory."""

from __future__ import annotations

from typing import Any, NoReturn

from app.api.state import State
from app.api.v2.grpc import open_inference_pb2 as pb
from app.api.v2.shared_memory.routes import CUDA_REFUSAL
from app.errors import Refused


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
