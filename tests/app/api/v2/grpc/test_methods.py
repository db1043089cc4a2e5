"""The methods of gRPC say what the routes of /v2 say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict
from starlette.testclient import TestClient

from app.api.state import State
from app.api.v2.grpc import open_inference_pb2 as pb
from app.api.v2.grpc.methods import (
    METHODS,
    describe_server,
    load_model,
    model_config,
    model_metadata,
    model_ready,
    model_statistics,
    refuse_cuda,
    region_status,
    register_region,
    repository_index,
    server_live,
    unregister_region,
)
from app.errors import InvalidSharedMemory, Refused, UnknownVersion
from app.server.grpc_paths import GRPC_CONTROL, GRPC_PROBES, GRPC_READING
from app.settings import Settings


def test_every_path_that_the_guard_knows_is_a_method() -> None:
    assert METHODS.keys() >= GRPC_PROBES | GRPC_READING | GRPC_CONTROL


def test_the_server_is_described_as_over_http(client: TestClient, tiny_state: State) -> None:
    answer = asyncio.run(describe_server(pb.ServerMetadataRequest(), tiny_state))
    assert MessageToDict(answer) == client.get("/v2").json()
    assert asyncio.run(server_live(pb.ServerLiveRequest(), tiny_state)).live


def test_a_model_is_described_as_over_http(client: TestClient, tiny_state: State) -> None:
    request = pb.ModelMetadataRequest(name="tiny-ae.encode", version="1")
    answer = asyncio.run(model_metadata(request, tiny_state))
    metadata = client.get("/v2/models/tiny-ae.encode").json()
    assert [list(tensor.shape) for tensor in answer.inputs] == [tensor["shape"] for tensor in metadata["inputs"]]
    assert list(answer.versions) == metadata["versions"]
    with pytest.raises(UnknownVersion):
        asyncio.run(model_metadata(pb.ModelMetadataRequest(name="tiny-ae.encode", version="9"), tiny_state))


@pytest.mark.parametrize("name", ["tiny-ae.encode", "tiny-vae.generate", "tiny-ae.interpolate"])
def test_a_configuration_has_the_members_of_http(client: TestClient, tiny_state: State, name: str) -> None:
    answer = asyncio.run(model_config(pb.ModelConfigRequest(name=name), tiny_state)).config
    config = client.get(f"/v2/models/{name}/config").json()
    assert (answer.name, answer.platform, answer.max_batch_size) == (name, config["platform"], config["max_batch_size"])
    assert [list(tensor.dims) for tensor in answer.output] == [tensor["dims"] for tensor in config["output"]]
    assert answer.HasField("dynamic_batching") == ("dynamic_batching" in config)


def test_statistics_are_of_one_model_or_of_all(client: TestClient, tiny_state: State) -> None:
    one = asyncio.run(model_statistics(pb.ModelStatisticsRequest(name="tiny-ae.encode"), tiny_state))
    assert [(model.name, model.version) for model in one.model_stats] == [("tiny-ae.encode", "2")]
    everything = asyncio.run(model_statistics(pb.ModelStatisticsRequest(), tiny_state))
    assert len(everything.model_stats) == len(client.get("/v2/models/stats").json()["model_stats"])


def test_only_served_models_are_ready(tiny_state: State) -> None:
    ready = {
        (name, version): asyncio.run(model_ready(pb.ModelReadyRequest(name=name, version=version), tiny_state)).ready
        for name, version in (("tiny-ae.encode", ""), ("tiny-ae.encode", "1"), ("tiny-ae.encode", "9"), ("nobody", ""))
    }
    assert list(ready.values()) == [True, True, False, False]


def test_the_index_is_that_of_http(client: TestClient, tiny_state: State) -> None:
    answer = asyncio.run(repository_index(pb.RepositoryIndexRequest(), tiny_state))
    index = client.post("/v2/repository/index").json()
    assert [(entry.name, entry.version, entry.state) for entry in answer.models] == [
        (entry["name"], entry["version"], entry["state"]) for entry in index
    ]


def test_models_are_not_loaded_without_control(tiny_state: State) -> None:
    with pytest.raises(Refused, match="HOURGLASS_CONTROL is not set"):
        asyncio.run(load_model(pb.RepositoryModelLoadRequest(model_name="tiny-ae"), tiny_state))


@pytest.fixture(scope="module")
def sharing(tiny_models: Path) -> Iterator[State]:
    """Load the tiny models, with shared memory."""
    state = State.load(Settings(models_dir=tiny_models, shared_memory=True))
    yield state
    state.close()


def test_regions_are_registered_listed_and_forgotten(sharing: State) -> None:
    memory = SharedMemory(create=True, size=64)
    try:
        register = pb.SystemSharedMemoryRegisterRequest(name="half", key=memory.name, offset=32, byte_size=32)
        asyncio.run(register_region(register, sharing))
        for request in (pb.SystemSharedMemoryStatusRequest(), pb.SystemSharedMemoryStatusRequest(name="half")):
            (region,) = asyncio.run(region_status(request, sharing)).regions.values()
            assert (region.name, region.key, region.offset, region.byte_size) == ("half", memory.name, 32, 32)
        with pytest.raises(InvalidSharedMemory, match="registered already"):
            asyncio.run(register_region(register, sharing))
        asyncio.run(unregister_region(pb.SystemSharedMemoryUnregisterRequest(name="half"), sharing))
        assert not asyncio.run(region_status(pb.SystemSharedMemoryStatusRequest(), sharing)).regions
    finally:
        memory.close()
        memory.unlink()


def test_without_shared_memory_the_reason_is_named(tiny_state: State) -> None:
    with pytest.raises(Refused, match="HOURGLASS_SHARED_MEMORY is not set"):
        asyncio.run(region_status(pb.SystemSharedMemoryStatusRequest(), tiny_state))


def test_cuda_is_refused(sharing: State) -> None:
    with pytest.raises(Refused, match="models run on the CPU"):
        asyncio.run(refuse_cuda(pb.CudaSharedMemoryStatusRequest(), sharing))
