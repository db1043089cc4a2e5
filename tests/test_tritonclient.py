"""NVIDIA's tritonclient, sync and asyncio, works with a running server."""

from __future__ import annotations

import asyncio
import base64
import inspect
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
import tritonclient.http
import tritonclient.http.aio
from PIL import Image
from tritonclient.http import InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

from tests.helpers.images import encoded
from tests.helpers.process import serving

ROOT = Path(__file__).parent.parent
SAMPLES = np.array([[0.25, 0.75, 0.5, 0], [1, 1, 1, 1]], np.float32)
LATENTS = np.array([[1, 0.5], [2, 2]], np.float32)
HALVES = np.array([[0.5, 0.5, 0.25, 0.25], [1, 1, 1, 1]], np.float32).reshape(2, 1, 2, 2)
ERRORS = np.array([0.0625, 0], np.float32)

Call = Callable[..., Awaitable[Any]]
"""Calls a method of the client by its name, and awaits it if the client is asyncio's."""


@pytest.fixture(scope="module")
def address(tiny_models: Path) -> Iterator[str]:
    """Start a server of the tiny models, and give its host and port."""
    with serving(models_dir=str(tiny_models)) as (_, url, _):
        yield url.removeprefix("http://")


@pytest.fixture(params=["sync", "asyncio"])
def converse(request: pytest.FixtureRequest, address: str) -> Callable[[Callable[[Call], Awaitable[None]]], None]:
    """Run a conversation with the server through either kind of client."""

    async def held(conversation: Callable[[Call], Awaitable[None]]) -> None:
        kind = tritonclient.http if request.param == "sync" else tritonclient.http.aio
        client = kind.InferenceServerClient(address)

        async def call(name: str, *arguments: Any, **options: Any) -> Any:
            answer = getattr(client, name)(*arguments, **options)
            return await answer if inspect.isawaitable(answer) else answer

        try:
            await conversation(call)
        finally:
            await call("close")

    return lambda conversation: asyncio.run(held(conversation))


Converse = Callable[[Callable[[Call], Awaitable[None]]], None]


def sent(name: str, array: npt.NDArray[Any], datatype: str = "FP32", binary: bool = True) -> InferInput:
    """Return an input with its data."""
    tensor = InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def test_health_and_metadata_are_understood(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        assert await call("is_server_live") is True
        assert await call("is_server_ready") is True
        assert await call("is_model_ready", "tiny-ae.encode") is True
        assert await call("is_model_ready", "tiny-ae.encode", "1") is True
        assert await call("is_model_ready", "tiny-ae.encode", "9") is False
        assert await call("is_model_ready", "nobody") is False
        assert (await call("get_server_metadata"))["name"] == "hourglass"
        metadata = await call("get_model_metadata", "tiny-ae.encode")
        assert metadata["versions"] == ["1", "2"]
        assert metadata["inputs"] == [{"name": "samples", "datatype": "FP32", "shape": [-1, 1, 2, 2]}]
        assert (await call("get_model_metadata", "tiny-ae.decode", "1"))["outputs"][0]["name"] == "samples"
        config = await call("get_model_config", "tiny-ae.encode", "2")
        assert (config["max_batch_size"], config["input"][0]["dims"]) == (4096, [1, 2, 2])

    converse(conversation)


def test_the_repository_and_the_statistics_are_understood(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        index = await call("get_model_repository_index")
        assert {"name": "tiny-ae.encode", "version": "2", "state": "READY", "reason": ""} in index
        before = (await call("get_inference_statistics", "tiny-table.encode"))["model_stats"][0]
        await call("infer", "tiny-table.encode", [sent("samples", SAMPLES)])
        after = (await call("get_inference_statistics", "tiny-table.encode", "1"))["model_stats"][0]
        assert after["inference_count"] - before["inference_count"] == 2
        assert after["execution_count"] - before["execution_count"] == 1
        assert len((await call("get_inference_statistics"))["model_stats"]) == len(index)

    converse(conversation)


REFUSED: list[tuple[str, tuple[Any, ...], str]] = [
    ("load_model", ("tiny-ae.encode",), "clients may not load or unload models here"),
    ("unload_model", ("tiny-ae.encode",), "clients may not load or unload models here"),
    ("get_trace_settings", ("tiny-ae.encode",), "nothing is here"),
    ("update_trace_settings", (), "nothing is here"),
    ("get_log_settings", (), "nothing is here"),
    ("update_log_settings", ({},), "nothing is here"),
    ("get_system_shared_memory_status", (), "HOURGLASS_SHARED_MEMORY is not set"),
    ("register_system_shared_memory", ("region", "/key", 8), "HOURGLASS_SHARED_MEMORY is not set"),
    ("unregister_system_shared_memory", (), "HOURGLASS_SHARED_MEMORY is not set"),
    ("get_cuda_shared_memory_status", (), "models run on the CPU"),
    ("register_cuda_shared_memory", ("region", b"handle", 0, 8), "models run on the CPU"),
    ("unregister_cuda_shared_memory", (), "models run on the CPU"),
    ("get_model_metadata", ("nobody",), "there is no model 'nobody'"),
    ("get_model_config", ("tiny-ae.encode", "9"), "has no version '9'"),
    ("get_inference_statistics", ("nobody",), "there is no model 'nobody'"),
    ("infer", ("nobody", [sent("samples", SAMPLES)]), "there is no model 'nobody'"),
    ("infer", ("tiny-ae.encode", [sent("samples", SAMPLES[:, :3])]), "samples: expected shape [rows, 1, 2, 2]"),
    ("infer", ("tiny-ae.encode", [sent("samples", SAMPLES * 2)]), "expected numbers from 0 to 1"),
    ("infer", ("tiny-ae.encode", [sent("latents", LATENTS)]), "expected 'samples', got 'latents'"),
    ("infer", ("tiny-ae.encode", []), "expected 'samples', got none"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), REFUSED)
def test_refusals_are_readable(converse: Converse, name: str, arguments: tuple[Any, ...], message: str) -> None:
    async def conversation(call: Call) -> None:
        with pytest.raises(InferenceServerException) as caught:
            await call(name, *arguments)
        assert message in caught.value.message()

    converse(conversation)


@pytest.mark.parametrize("as_bytes", [True, False], ids=["bytes in", "json in"])
@pytest.mark.parametrize("wanted", ["bytes", "json", "mixed", None])
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
def test_every_encoding_works(converse: Converse, as_bytes: bool, wanted: str | None, packing: str | None) -> None:
    kinds = {"bytes": (True, True), "json": (False, False), "mixed": (True, False)}
    outputs = None
    if wanted:
        names = zip(("samples", "errors"), kinds[wanted], strict=True)
        outputs = [InferRequestedOutput(name, binary_data=binary) for name, binary in names]

    async def conversation(call: Call) -> None:
        result = await call(
            "infer",
            "tiny-ae.reconstruct",
            [sent("samples", SAMPLES, binary=as_bytes)],
            outputs=outputs,
            request_id="seven",
            request_compression_algorithm=packing,
            response_compression_algorithm=packing,
        )
        np.testing.assert_array_equal(result.as_numpy("samples"), HALVES)
        np.testing.assert_array_equal(result.as_numpy("errors"), ERRORS)
        assert result.get_response()["id"] == "seven"
        assert result.get_response()["model_version"] == "2"

    converse(conversation)


def test_a_version_can_be_named(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        result = await call("infer", "tiny-ae.encode", [sent("samples", SAMPLES)], model_version="1")
        assert result.get_response()["model_version"] == "1"
        np.testing.assert_array_equal(result.as_numpy("latents"), LATENTS)

    converse(conversation)


@pytest.mark.parametrize("datatype", ["BOOL", "UINT8", "UINT16", "INT32", "INT64", "FP16", "FP64"])
def test_other_datatypes_are_accepted(converse: Converse, datatype: str) -> None:
    rows = np.array([[1, 0, 1, 1]], tritonclient.utils.triton_to_np_dtype(datatype))

    async def conversation(call: Call) -> None:
        for binary in (True, False):
            result = await call("infer", "tiny-ae.encode", [sent("samples", rows, datatype, binary)])
            np.testing.assert_array_equal(result.as_numpy("latents"), [[1, 2]])

    converse(conversation)


def test_bf16_is_accepted(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        result = await call("infer", "tiny-ae.encode", [sent("samples", SAMPLES, "BF16")])
        np.testing.assert_array_equal(result.as_numpy("latents"), LATENTS)

    converse(conversation)


def test_images_are_sent_as_bytes(converse: Converse) -> None:
    png = encoded(Image.fromarray(np.array([[51, 102], [255, 0]], np.uint8)))

    async def conversation(call: Call) -> None:
        result = await call("infer", "tiny-ae.encode", [sent("samples", np.array([png, png], object), "BYTES")])
        np.testing.assert_allclose(result.as_numpy("latents"), [[0.6, 1], [0.6, 1]], atol=1e-6)
        texts = np.array([base64.b64encode(png)], object)
        result = await call("infer", "tiny-ae.encode", [sent("samples", texts, "BYTES", binary=False)])
        np.testing.assert_allclose(result.as_numpy("latents"), [[0.6, 1]], atol=1e-6)

    converse(conversation)


def test_generate_takes_a_count_and_parameters(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        count = sent("count", np.array([3]), "INT64")
        result = await call("infer", "tiny-vae.generate", [count], parameters={"seed": 5})
        assert result.get_response()["parameters"] == {"seed": 5}
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
        options = {"sequence_id": 7, "sequence_start": True, "sequence_end": True, "priority": 1, "timeout": 2**64 - 1}
        result = await call("infer", "tiny-ae.encode", [sent("samples", SAMPLES)], **options)
        np.testing.assert_array_equal(result.as_numpy("latents"), LATENTS)

    converse(conversation)


def test_shared_memory_and_classes_are_refused(converse: Converse) -> None:
    async def conversation(call: Call) -> None:
        shared = InferInput("samples", [1, 4], "FP32")
        shared.set_shared_memory("region", 16)
        with pytest.raises(InferenceServerException, match="shared_memory_region is not offered"):
            await call("infer", "tiny-ae.encode", [shared])
        classes = InferRequestedOutput("latents", class_count=1)
        with pytest.raises(InferenceServerException, match="classification is not offered"):
            await call("infer", "tiny-ae.encode", [sent("samples", SAMPLES)], outputs=[classes])

    converse(conversation)


def test_many_requests_are_answered_at_once(address: str) -> None:
    client = tritonclient.http.InferenceServerClient(address, concurrency=4)
    waiting = [client.async_infer("tiny-ae.encode", [sent("samples", SAMPLES / n)]) for n in range(1, 9)]
    for n, request in enumerate(waiting, start=1):
        np.testing.assert_allclose(request.get_result().as_numpy("latents"), LATENTS / n, rtol=1e-6)
    client.close()

    async def gathered() -> list[InferResult]:
        async with tritonclient.http.aio.InferenceServerClient(address) as client:
            calls = [client.infer("tiny-ae.encode", [sent("samples", SAMPLES / n)]) for n in range(1, 9)]
            return await asyncio.gather(*calls)

    for n, result in enumerate(asyncio.run(gathered()), start=1):
        np.testing.assert_allclose(result.as_numpy("latents"), LATENTS / n, rtol=1e-6)


def test_another_client_may_send_the_bodies(address: str) -> None:
    make = tritonclient.http.InferenceServerClient
    body, length = make.generate_request_body([sent("samples", SAMPLES)], request_id="7")
    headers = {"Inference-Header-Content-Length": str(length)}
    answer = httpx.post(f"http://{address}/v2/models/tiny-ae.encode/infer", content=body, headers=headers)
    end = int(answer.headers["Inference-Header-Content-Length"])
    result = make.parse_response_body(answer.content, header_length=end)
    np.testing.assert_array_equal(result.as_numpy("latents"), LATENTS)
    assert result.get_response()["id"] == "7"


def test_the_program_of_the_guide_gives_its_output() -> None:
    guide = (ROOT / "docs/guides/open-inference-protocol.md").read_text()
    program, _ = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    with serving(models_dir=str(ROOT / "models")) as (_, url, _):
        program = program.replace("127.0.0.1:8000", url.removeprefix("http://"))
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ended.stdout.splitlines() == re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE)


def test_scores_have_verdicts_as_booleans(converse: Callable[[Callable[[Call], Awaitable[None]]], None]) -> None:
    async def conversation(call: Call) -> None:
        tensor = InferInput("samples", [2, 4], "FP32").set_data_from_numpy(SAMPLES)
        outputs = [InferRequestedOutput(name) for name in ("score", "anomalous", "attribution")]
        result = await call("infer", "tiny-table.score", [tensor], outputs=outputs, parameters={"alpha": 0.3})
        assert result.as_numpy("score").tolist() == [0.875, 4]
        assert result.as_numpy("anomalous").tolist() == [False, True]
        np.testing.assert_array_equal(result.as_numpy("attribution"), np.square(SAMPLES))
        assert result.as_numpy("p_value") is None

    converse(conversation)
