"""tritonclient's helpers for shared memory work over HTTP and gRPC."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException

from tests.helpers.rpc import RpcServer, serving_grpc

SAMPLES = np.array([[0.25, 0.75, 0.5, 0], [1, 1, 1, 1]], np.float32)
HALVES = np.array([[0.5, 0.5, 0.25, 0.25], [1, 1, 1, 1]], np.float32).reshape(2, 1, 2, 2)
ERRORS = np.array([0.0625, 0], np.float32)
MODEL = "tiny-ae.reconstruct"
SHARED = Path("/dev/shm")

Wire = tuple[ModuleType, Any]
"""A client's module, and a client."""


@pytest.fixture(scope="module")
def server(tiny_models: Path) -> Iterator[RpcServer]:
    """Start a server that offers shared memory."""
    with serving_grpc(models_dir=str(tiny_models), shared_memory="true") as server:
        yield server


@pytest.fixture(params=["http", "grpc"])
def wire(request: pytest.FixtureRequest, server: RpcServer) -> Iterator[Wire]:
    """Give a client of either wire; no region is registered before or after."""
    module = tritonclient.http if request.param == "http" else tritonclient.grpc
    client = module.InferenceServerClient(
        server.http.removeprefix("http://") if request.param == "http" else server.address
    )
    yield module, client
    client.unregister_system_shared_memory()
    client.close()


@pytest.fixture
def region(wire: Wire) -> Iterator[tuple[Any, str]]:
    """Make and register a region of 128 bytes; give its handle and its key."""
    key = f"/hourglass-{uuid.uuid4().hex}"
    handle = shm.create_shared_memory_region("region", key, 128)
    wire[1].register_system_shared_memory("region", key, 128)
    yield handle, key
    shm.destroy_shared_memory_region(handle)


def shared_input(module: ModuleType, size: int = 32, offset: int = 0, name: str = "region") -> Any:
    """Return samples in a region."""
    tensor = module.InferInput("samples", [2, 4], "FP32")
    tensor.set_shared_memory(name, size, offset)
    return tensor


def shared_output(module: ModuleType, name: str, size: int, offset: int) -> Any:
    """Return the request of an output in the region."""
    output = module.InferRequestedOutput(name)
    output.set_shared_memory("region", size, offset)
    return output


def test_inputs_and_outputs_are_shared(wire: Wire, region: tuple[Any, str]) -> None:
    module, client = wire
    handle, _ = region
    shm.set_shared_memory_region(handle, [SAMPLES], offset=8)
    outputs = [shared_output(module, "samples", 40, 48), module.InferRequestedOutput("errors")]
    result = client.infer(MODEL, [shared_input(module, offset=8)], outputs=outputs)
    np.testing.assert_array_equal(shm.get_contents_as_numpy(handle, np.float32, [2, 1, 2, 2], offset=48), HALVES)
    np.testing.assert_array_equal(result.as_numpy("errors"), ERRORS)
    output = result.get_output("samples")
    shape, parameters = (
        (output["shape"], output["parameters"])
        if module is tritonclient.http
        else (list(output.shape), {name: value.int64_param for name, value in output.parameters.items()})
    )
    assert (shape, parameters["shared_memory_byte_size"]) == ([2, 1, 2, 2], 32)


def test_only_the_input_is_shared(wire: Wire, region: tuple[Any, str]) -> None:
    module, client = wire
    shm.set_shared_memory_region(region[0], [SAMPLES])
    result = client.infer(MODEL, [shared_input(module)])
    np.testing.assert_array_equal(result.as_numpy("samples"), HALVES)


def test_only_an_output_is_shared(wire: Wire, region: tuple[Any, str]) -> None:
    module, client = wire
    tensor = module.InferInput("samples", [2, 4], "FP32")
    tensor.set_data_from_numpy(SAMPLES)
    client.infer(MODEL, [tensor], outputs=[shared_output(module, "errors", 8, 0)])
    np.testing.assert_array_equal(shm.get_contents_as_numpy(region[0], np.float32, [2]), ERRORS)


def test_images_are_read_from_shared_memory(wire: Wire, region: tuple[Any, str]) -> None:
    module, client = wire
    tensor = module.InferInput("samples", [1], "BYTES")
    tensor.set_shared_memory("region", 12)
    shm.set_shared_memory_region(region[0], [np.frombuffer(b"\x08\x00\x00\x00no image", np.uint8)])
    with pytest.raises(InferenceServerException, match="image"):
        client.infer("tiny-ae.encode", [tensor])


def test_regions_are_listed(wire: Wire, region: tuple[Any, str], server: RpcServer) -> None:
    module, client = wire
    status = client.get_system_shared_memory_status("region")
    found = status[0]["key"] if module is tritonclient.http else status.regions["region"].key
    assert found == region[1]
    client.unregister_system_shared_memory("region")
    assert not client.get_system_shared_memory_status(**({} if module is tritonclient.http else {"as_json": True}))
    assert "Traceback" not in "".join(server.lines)


def test_places_beyond_the_region_are_refused(wire: Wire, region: tuple[Any, str]) -> None:
    module, client = wire
    before = bytes(region[0]._mpsm_handle.buf)
    for inputs, outputs, reason in (
        ([shared_input(module, 32, 100)], None, "expected bytes within the 128 of the region, got 32 from 100 on"),
        ([shared_input(module, name="nobody")], None, "no region of this name is registered"),
        ([shared_input(module, 16)], None, "expected 32 bytes of FP32"),
        ([shared_input(module)], [shared_output(module, "samples", 16, 0)], "expected room for 32 bytes, got 16"),
        ([shared_input(module)], [shared_output(module, "samples", 32, 112)], "within the 128 of the region"),
    ):
        with pytest.raises(InferenceServerException, match=reason):
            client.infer(MODEL, inputs, outputs=outputs)
    assert bytes(region[0]._mpsm_handle.buf) == before


def test_a_region_that_was_shortened_is_an_error_and_not_the_end(wire: Wire, region: tuple[Any, str]) -> None:
    module, client = wire
    os.truncate(SHARED / region[1].strip("/"), 16)
    with pytest.raises(InferenceServerException, match="expected at least 32 bytes of shared memory, got 16"):
        client.infer(MODEL, [shared_input(module)])
    assert client.is_server_live()
    os.truncate(SHARED / region[1].strip("/"), 128)


@pytest.mark.parametrize("key", ["/../etc/passwd", "/hourglass-absent", "/a/b"])
def test_other_files_are_no_regions(wire: Wire, key: str) -> None:
    with pytest.raises(InferenceServerException, match="region 'other'"):
        wire[1].register_system_shared_memory("other", key, 16)


def test_cuda_is_refused(wire: Wire) -> None:
    with pytest.raises(InferenceServerException, match="models run on the CPU"):
        wire[1].get_cuda_shared_memory_status()
    with pytest.raises(InferenceServerException, match="models run on the CPU"):
        wire[1].register_cuda_shared_memory("region", b"aGFuZGxl", 0, 16)


def test_without_the_setting_it_is_refused(tiny_models: Path) -> None:
    memory = SharedMemory(create=True, size=64)
    try:
        with serving_grpc(models_dir=str(tiny_models)) as server:
            for module, address in (
                (tritonclient.http, server.http.removeprefix("http://")),
                (tritonclient.grpc, server.address),
            ):
                client = module.InferenceServerClient(address)
                with pytest.raises(InferenceServerException, match="HOURGLASS_SHARED_MEMORY is not set"):
                    client.register_system_shared_memory("region", memory.name, 64)
                with pytest.raises(InferenceServerException, match="shared_memory_region is not offered"):
                    client.infer(MODEL, [shared_input(module)])
                client.close()
    finally:
        memory.close()
        memory.unlink()
