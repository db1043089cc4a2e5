"""NVIDIA's tritonclient for gRPC, sync, asyncio and streaming, works with a running server."""

from __future__ import annotations

import asyncio
import inspect
import queue
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
from PIL import Image
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from tests.helpers import tiny
from tests.helpers.images import encoded
from tests.helpers.rpc import serving_grpc

ROOT = Path(__file__).parent.parent
SAMPLES = np.array([[0.25, 0.75, 0.5, 0], [1, 1, 1, 1]], np.float32)
LATENTS = np.array([[1, 0.5], [2, 2]], np.float32)
HALVES = np.array([[0.5, 0.5, 0.25, 0.25], [1, 1, 1, 1]], np.float32).reshape(2, 1, 2, 2)
ERRORS = np.array([0.0625, 0], np.float32)

Call = Callable[..., Awaitable[Any]]
"""Calls a method of the client by its name, and awaits it if the client is asyncio's."""
Converse = Callable[[Callable[[Call], Awaitable[None]]], None]


@pytest.fixture(scope="module")
def address(tiny_models: Path) -> Iterator[str]:
    """Start a server of the tiny models, and give the address of gRPC."""
    with serving_grpc(models_dir=str(tiny_models)) as server:
        yield server.address


@pytest.fixture(params=["sync", "asyncio"])
def converse(request: pytest.FixtureRequest, address: str) -> Converse:
    """Run a conversation with the server through either kind of client."""
    return lambda conversation: converse_with(address, request.param, conversation)


def converse_with(address: str, kind: str, conversation: Callable[[Call], Awaitable[None]]) -> None:
    """Run a conversation with a server through a kind of client."""

    async def held() -> None:
        module = tritonclient.grpc if kind == "sync" else tritonclient.grpc.aio
        client = module.InferenceServerClient(address)

        async def call(name: str, *arguments: Any, **options: Any) -> Any:
            answer = getattr(client, name)(*arguments, **options)
            return await answer if inspect.isawaitable(answer) else answer

        try:
            await conversation(call)
        finally:
            await call("close")

    asyncio.run(held())


def sent(name: str, array: npt.NDArray[Any], datatype: str = "FP32") -> InferInput:
    """Return an input with its data."""
    tensor = InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def test_health_and_metadata_are_understood(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        assert await call("is_server_live") is True
        assert await call("is_server_ready") is True
        assert await call("is_model_ready", "tiny-ae.encode") is True
        assert await call("is_model_ready", "tiny-ae.encode", "1") is True
        assert await call("is_model_ready", "tiny-ae.encode", "9") is False
        assert await call("is_model_ready", "nobody") is False
        server = await call("get_server_metadata", as_json=True)
        assert server["name"] == "hourglass"
        assert "binary_tensor_data" in server["extensions"]
        metadata = await call("get_model_metadata", "tiny-ae.encode", as_json=True)
        assert metadata == {
            "name": "tiny-ae.encode",
            "versions": ["1", "2"],
            "platform": "onnx_onnxv1",
            "inputs": [{"name": "samples", "datatype": "FP32", "shape": ["-1", "1", "2", "2"]}],
            "outputs": [{"name": "latents", "datatype": "FP32", "shape": ["-1", "2"]}],
        }

    converse(conversation)


def test_configuration_statistics_and_index_are_understood(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        config = (await call("get_model_config", "tiny-ae.encode", as_json=True))["config"]
        assert config["input"] == [{"name": "samples", "data_type": "TYPE_FP32", "dims": ["1", "2", "2"]}]
        assert config["max_batch_size"] == 4096
        assert config["instance_group"][0]["kind"] == "KIND_CPU"
        generate = (await call("get_model_config", "tiny-vae.generate", as_json=True))["config"]
        assert generate["input"] == [{"name": "count", "data_type": "TYPE_INT64", "dims": ["1"], "optional": True}]
        await call("infer", "tiny-sdae.encode", [sent("samples", SAMPLES)])
        answer = await call("get_inference_statistics", "tiny-sdae.encode", as_json=True)
        (statistics,) = answer["model_stats"]
        assert int(statistics["inference_stats"]["success"]["count"]) >= 1
        assert int(statistics["inference_count"]) >= 2
        everything = await call("get_inference_statistics", as_json=True)
        assert len(everything["model_stats"]) > 5
        index = (await call("get_model_repository_index", as_json=True))["models"]
        assert {"name": "tiny-ae.encode", "version": "2", "state": "READY"} in index

    converse(conversation)


def test_tensors_go_both_ways(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        result = await call("infer", "tiny-ae.reconstruct", [sent("samples", SAMPLES)], request_id="seven")
        np.testing.assert_array_equal(result.as_numpy("samples"), HALVES)
        np.testing.assert_array_equal(result.as_numpy("errors"), ERRORS)
        response = result.get_response()
        assert (response.id, response.model_name, response.model_version) == ("seven", "tiny-ae.reconstruct", "2")
        wanted = [InferRequestedOutput("errors"), InferRequestedOutput("samples")]
        result = await call("infer", "tiny-ae.reconstruct", [sent("samples", SAMPLES)], "1", outputs=wanted)
        np.testing.assert_array_equal(result.as_numpy("samples"), HALVES)
        assert [output.name for output in result.get_response().outputs] == ["errors", "samples"]
        assert result.get_response().model_version == "1"
        levels = (SAMPLES * 4).astype(np.int8)
        result = await call("infer", "tiny-table.encode", [sent("samples", levels, "INT8")])
        assert result.as_numpy("latents").shape == (2, 2)

    converse(conversation)


@pytest.mark.parametrize("datatype", ["FP16", "BF16", "FP64"])
def test_every_float_is_accepted(converse: Converse, datatype: str) -> None:
    dtype = {"FP16": np.float16, "BF16": np.float32, "FP64": np.float64}[datatype]

    async def conversation(call: Call) -> None:
        result = await call("infer", "tiny-ae.encode", [sent("samples", SAMPLES.astype(dtype), datatype)])
        np.testing.assert_array_equal(result.as_numpy("latents"), LATENTS)

    converse(conversation)


def test_images_are_sent_as_bytes(converse: Converse) -> None:
    png = encoded(Image.fromarray(np.array([[51, 102], [255, 0]], np.uint8)))

    async def conversation(call: Call) -> None:
        result = await call("infer", "tiny-ae.encode", [sent("samples", np.array([png, png], object), "BYTES")])
        np.testing.assert_allclose(result.as_numpy("latents"), [[0.6, 1], [0.6, 1]], atol=1e-6)

    converse(conversation)


def test_generate_takes_a_count_and_parameters(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        count = sent("count", np.array([3]), "INT64")
        result = await call("infer", "tiny-vae.generate", [count], parameters={"seed": 5})
        assert result.get_response().parameters["seed"].int64_param == 5
        parameter = await call("infer", "tiny-vae.generate", [], parameters={"seed": 5, "count": 3})
        assert result.as_numpy("samples").shape == (3, 1, 2, 2)
        np.testing.assert_array_equal(parameter.as_numpy("samples"), result.as_numpy("samples"))
        cold = await call("infer", "tiny-vae.generate", [count], parameters={"temperature": 0.0})
        assert not cold.as_numpy("samples").any()
        with pytest.raises(InferenceServerException, match="request parameter 'temperature'"):
            await call("infer", "tiny-vae.generate", [count], parameters={"temperature": 11})

    converse(conversation)


def test_sequences_priority_and_timeout_are_accepted(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        options = {"sequence_id": 7, "sequence_start": True, "sequence_end": True, "priority": 1, "timeout": 2**40}
        result = await call("infer", "tiny-ae.encode", [sent("samples", SAMPLES)], **options)
        np.testing.assert_array_equal(result.as_numpy("latents"), LATENTS)

    converse(conversation)


@pytest.mark.parametrize(
    ("model", "samples", "code", "message"),
    [
        ("nobody", SAMPLES, "NOT_FOUND", "there is no model 'nobody'"),
        ("tiny-ae.encode", SAMPLES[:, :3], "INVALID_ARGUMENT", r"expected shape \[rows, 1, 2, 2\]"),
        ("tiny-ae.encode", SAMPLES + 9, "INVALID_ARGUMENT", "expected numbers from 0 to 1"),
    ],
)
def test_an_error_has_a_code_and_the_detail(
    converse: Converse, model: str, samples: npt.NDArray[Any], code: str, message: str
) -> None:
    async def conversation(call: Call) -> None:
        with pytest.raises(InferenceServerException, match=message) as caught:
            await call("infer", model, [sent("samples", samples)])
        assert caught.value.status() == f"StatusCode.{code}"

    converse(conversation)


def test_functions_that_are_not_offered_are_refused(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        classes = InferRequestedOutput("latents", class_count=1)
        for attempt, arguments in (
            ("infer", ("tiny-ae.encode", [sent("samples", SAMPLES)], "", [classes])),
            ("load_model", ("tiny-ae.encode",)),
            ("unload_model", ("tiny-ae.encode",)),
            ("get_trace_settings", ()),
        ):
            with pytest.raises(InferenceServerException) as caught:
                await call(attempt, *arguments)
            assert caught.value.status() == "StatusCode.UNIMPLEMENTED"

    converse(conversation)


@pytest.mark.parametrize("kind", ["sync", "asyncio"])
def test_models_are_loaded_and_unloaded(tmp_path: Path, kind: str) -> None:
    tiny.write_version(tmp_path, "tiny-ae", 1)
    tiny.write_version(tmp_path, "tiny-vae", family="variational-autoencoder")

    async def conversation(call: Call) -> None:
        await call("unload_model", "tiny-ae.encode")
        assert await call("is_model_ready", "tiny-ae.encode") is False
        index = (await call("get_model_repository_index", as_json=True))["models"]
        assert [entry["state"] for entry in index if entry["name"] == "tiny-ae"] == ["UNAVAILABLE"]
        await call("load_model", "tiny-ae")
        assert await call("is_model_ready", "tiny-ae.encode") is True
        with pytest.raises(InferenceServerException, match="models are loaded from the repository as they are"):
            await call("load_model", "tiny-ae", config="{}")

    with serving_grpc(models_dir=str(tmp_path), control="true") as server:
        converse_with(server.address, kind, conversation)


def test_a_stream_is_refused_clearly(address: str) -> None:
    outcomes: queue.Queue[Any] = queue.Queue()
    with tritonclient.grpc.InferenceServerClient(address) as client:
        client.start_stream(lambda result, error: outcomes.put((result, error)))
        client.async_stream_infer("tiny-ae.encode", [sent("samples", SAMPLES)])
        result, error = outcomes.get(timeout=30)
        client.stop_stream()
    assert result is None
    assert error.status() == "StatusCode.UNIMPLEMENTED"
    assert "ModelStreamInfer is not offered" in error.message()


def test_a_stream_of_asyncio_is_refused_clearly(address: str) -> None:
    async def stream() -> None:
        async def requests() -> Any:
            yield {"model_name": "tiny-ae.encode", "inputs": [sent("samples", SAMPLES)]}

        async with tritonclient.grpc.aio.InferenceServerClient(address) as client:
            async for _ in client.stream_infer(requests()):
                pass

    with pytest.raises(grpc.RpcError, match="ModelStreamInfer is not offered") as caught:
        asyncio.run(stream())
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_many_requests_are_answered_at_once(address: str) -> None:
    outcomes: queue.Queue[Any] = queue.Queue()
    with tritonclient.grpc.InferenceServerClient(address) as client:
        for n in range(1, 9):
            client.async_infer(
                "tiny-ae.encode",
                [sent("samples", SAMPLES / n)],
                lambda result, error, n=n: outcomes.put((n, result, error)),
            )
        for _ in range(8):
            n, result, error = outcomes.get(timeout=30)
            assert error is None
            np.testing.assert_allclose(result.as_numpy("latents"), LATENTS / n, rtol=1e-6)

    async def gathered() -> list[InferResult]:
        async with tritonclient.grpc.aio.InferenceServerClient(address) as client:
            calls = [client.infer("tiny-ae.encode", [sent("samples", SAMPLES / n)]) for n in range(1, 9)]
            return await asyncio.gather(*calls)

    for n, result in enumerate(asyncio.run(gathered()), start=1):
        np.testing.assert_allclose(result.as_numpy("latents"), LATENTS / n, rtol=1e-6)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_messages_are_read(address: str, algorithm: str) -> None:
    with tritonclient.grpc.InferenceServerClient(address) as client:
        result = client.infer("tiny-ae.encode", [sent("samples", SAMPLES)], compression_algorithm=algorithm)
    np.testing.assert_array_equal(result.as_numpy("latents"), LATENTS)


def test_the_program_of_the_guide_gives_its_output() -> None:
    guide = (ROOT / "docs/guides/open-inference-protocol.md").read_text()
    _, program = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    with serving_grpc(models_dir=str(ROOT / "models")) as server:
        program = program.replace("127.0.0.1:8001", server.address)
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ended.stdout.splitlines() == re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE)


def test_scores_have_verdicts_as_booleans(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        tensors = [sent("samples", SAMPLES)]
        result = await call("infer", "tiny-table.score", tensors, parameters={"alpha": 0.3})
        assert result.as_numpy("score").tolist() == [0.875, 4]
        assert result.as_numpy("anomalous").tolist() == [False, True]
        np.testing.assert_allclose(result.as_numpy("p_value"), [0.9, 0.3], rtol=1e-6)
        plain = await call("infer", "tiny-table.score", tensors)
        assert plain.as_numpy("anomalous") is None

    converse(conversation)
