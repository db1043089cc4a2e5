"""A server that speaks gRPC, and calls to it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc
import numpy as np
import numpy.typing as npt

from app.api.v2.grpc import open_inference_pb2 as pb
from app.server.grpc_paths import SERVICE
from tests.helpers.process import serving

SECONDS = 30
PORT = re.compile(r'"port": (\d+), "event": "gRPC listens"')


class RpcServer(NamedTuple):
    """A running server."""

    process: subprocess.Popen[str]
    http: str
    """The address of HTTP, as a URL."""
    address: str
    """The address of gRPC."""
    lines: list[str]
    """The lines of its log."""


@contextmanager
def serving_grpc(**settings: str) -> Iterator[RpcServer]:
    """Start the command with gRPC on a free port."""
    with serving(**{"grpc_port": "0", **settings}) as (process, http, lines):
        (port,) = PORT.findall("".join(lines))
        yield RpcServer(process, http, f"127.0.0.1:{port}", lines)


@contextmanager
def channel(address: str) -> Iterator[grpc.Channel]:
    """Give a channel to a server, closed at the end."""
    with grpc.insecure_channel(address) as opened:
        yield opened


def call(
    channel: grpc.Channel, method: str, request: Any, metadata: Sequence[tuple[str, str]] = (), seconds: float = SECONDS
) -> Any:
    """Return the answer to a call of a method by its name. Raises grpc.RpcError."""
    stub = channel.unary_unary(SERVICE + method)
    content = stub(request.SerializeToString(), metadata=metadata, timeout=seconds)
    return getattr(pb, f"{method}Response").FromString(content)


def infer_request(model: str, samples: Any, **members: Any) -> pb.ModelInferRequest:
    """Return a request with raw samples."""
    array: npt.NDArray[np.float32] = np.asarray(samples, "<f4")
    tensor = pb.ModelInferRequest.InferInputTensor(name="samples", datatype="FP32", shape=array.shape)
    return pb.ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[array.tobytes()], **members)


def raw_outputs(answer: pb.ModelInferResponse) -> dict[str, Any]:
    """Return the outputs of an answer as nested lists."""
    return {
        output.name: np.frombuffer(content, "<f4").reshape(output.shape).tolist()
        for output, content in zip(answer.outputs, answer.raw_output_contents, strict=True)
    }
