"""Regions are registered over gRPC as over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from app.api.state import State
from app.api.v2.grpc import open_inference_pb2 as pb
from app.api.v2.grpc.regions import refuse_cuda, region_status, register_region, unregister_region
from app.errors import InvalidSharedMemory, Refused
from app.settings import Settings


@pytest.fixture(scope="module")
def state(tiny_models: Path) -> Iterator[State]:
    """Load the tiny models, with shared memory."""
    state = State.load(Settings(models_dir=tiny_models, shared_memory=True))
    yield state
    state.close()


def test_regions_are_registered_listed_and_forgotten(state: State) -> None:
    memory = SharedMemory(create=True, size=64)
    try:
        register = pb.SystemSharedMemoryRegisterRequest(name="half", key=memory.name, offset=32, byte_size=32)
        asyncio.run(register_region(register, state))
        for request in (pb.SystemSharedMemoryStatusRequest(), pb.SystemSharedMemoryStatusRequest(name="half")):
            (region,) = asyncio.run(region_status(request, state)).regions.values()
            assert (region.name, region.key, region.offset, region.byte_size) == ("half", memory.name, 32, 32)
        with pytest.raises(InvalidSharedMemory, match="registered already"):
            asyncio.run(register_region(register, state))
        asyncio.run(unregister_region(pb.SystemSharedMemoryUnregisterRequest(name="half"), state))
        assert not asyncio.run(region_status(pb.SystemSharedMemoryStatusRequest(), state)).regions
    finally:
        memory.close()
        memory.unlink()


def test_without_it_the_reason_is_named(tiny_state: State) -> None:
    with pytest.raises(Refused, match="HOURGLASS_SHARED_MEMORY is not set"):
        asyncio.run(region_status(pb.SystemSharedMemoryStatusRequest(), tiny_state))


def test_cuda_is_refused(state: State) -> None:
    with pytest.raises(Refused, match="models run on the CPU"):
        asyncio.run(refuse_cuda(pb.CudaSharedMemoryStatusRequest(), state))
