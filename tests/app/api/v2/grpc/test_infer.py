"""ModelInfer answers raw and typed requests, large ones on a thread, and counts all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from app.api.v2.grpc import open_inference_pb2 as pb
from tests.helpers.metrics import scrape
from tests.helpers.rpc import RpcServer, call, channel, infer_request, raw_outputs, serving_grpc

SAMPLE = [0.25, 0.75, 0.5, 0.0]
LARGE_ROWS = 300_000
"""Rows of 4.8 MB, which a thread reads, and whose answer of 2.4 MB a thread writes."""


@pytest.fixture(scope="module")
def server(tiny_models: Path) -> Iterator[RpcServer]:
    """Start a server that takes many rows."""
    limits = {"max_rows": "400000", "max_queued_rows": "400000"}
    with serving_grpc(models_dir=str(tiny_models), **limits) as server:
        yield server


def test_a_typed_request_gets_a_typed_answer(server: RpcServer) -> None:
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="samples", datatype="FP32", shape=[1, 4], contents=pb.InferTensorContents(fp32_contents=SAMPLE)
    )
    request = pb.ModelInferRequest(model_name="tiny-ae.reconstruct", id="seven", inputs=[tensor])
    with channel(server.address) as opened:
        answer = call(opened, "ModelInfer", request)
    assert answer.id == "seven"
    assert [(output.name, list(output.shape)) for output in answer.outputs] == [
        ("samples", [1, 1, 2, 2]),
        ("errors", [1]),
    ]
    assert list(answer.outputs[0].contents.fp32_contents) == [0.5, 0.5, 0.25, 0.25]
    assert list(answer.outputs[1].contents.fp32_contents) == [0.0625]
    assert not answer.raw_output_contents


def test_large_messages_are_read_and_written(server: RpcServer) -> None:
    samples = np.tile(np.array(SAMPLE, np.float32), (LARGE_ROWS, 1))
    with channel(server.address) as opened:
        answer = call(opened, "ModelInfer", infer_request("tiny-table.encode", samples))
        sample = raw_outputs(call(opened, "ModelInfer", infer_request("tiny-table.encode", [SAMPLE])))
    latents = np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(answer.outputs[0].shape)
    assert latents.shape == (LARGE_ROWS, 2)
    np.testing.assert_allclose(latents[[0, -1]], [sample["latents"][0]] * 2, rtol=1e-6)


def test_large_typed_messages_are_read_and_written(server: RpcServer) -> None:
    rows = 20_000
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="samples", datatype="FP32", shape=[rows, 4], contents=pb.InferTensorContents(fp32_contents=SAMPLE * rows)
    )
    with channel(server.address) as opened:
        answer = call(opened, "ModelInfer", pb.ModelInferRequest(model_name="tiny-ae.encode", inputs=[tensor]))
    assert list(answer.outputs[0].contents.fp32_contents[-2:]) == [1.0, 0.5]
    assert len(answer.outputs[0].contents.fp32_contents) == 2 * rows


def test_the_statistics_of_v2_count_both_wires(server: RpcServer) -> None:
    with channel(server.address) as opened:

        def counts() -> tuple[int, int]:
            request = pb.ModelStatisticsRequest(name="tiny-sdae.denoise")
            (statistics,) = call(opened, "ModelStatistics", request).model_stats
            return statistics.inference_stats.success.count, statistics.inference_stats.fail.count

        before = counts()
        call(opened, "ModelInfer", infer_request("tiny-sdae.denoise", [SAMPLE]))
        with pytest.raises(grpc.RpcError):
            call(opened, "ModelInfer", infer_request("tiny-sdae.denoise", [[0.5]]))
        assert counts() == (before[0] + 1, before[1] + 1)


def test_metrics_and_the_log_name_the_method(server: RpcServer) -> None:
    with channel(server.address) as opened:
        metadata = (("x-request-id", "my-request"),)
        call(opened, "ModelInfer", infer_request("tiny-vae.encode", [SAMPLE]), metadata)
    route = "/inference.GRPCInferenceService/ModelInfer"
    samples = scrape(server.http)
    assert samples[f'hourglass_requests_total{{code="200",model="tiny-vae",route="{route}"}}'] == 1
    assert samples['hourglass_compute_seconds_count{model="tiny-vae"}'] == 1
    (line,) = [line for line in server.lines if '"request_id":"my-request"' in line]
    assert f'"route":"{route}","status":200' in line
    assert '"task":"encode","model":"tiny-vae","version":1,"rows":1' in line
