# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, attr-defined, misc"
"""
Ray Serve, `@serve.batch`.

Followed: the pages "Dynamic request batching", "Performance tuning" (RAY_SERVE_THROUGHPUT_OPTIMIZED=1, `async` methods,
a larger max_ongoing_requests) and "Configure Ray Serve logging" (no access log) of its documentation; no dashboard. The
variable also lets a replica answer HTTP itself, on a port that `bench.serving.rivals` chooses. Requests go to that
port, so that Ray works without its proxy.

Tried: the proxy written in Python, with and without the variable, which answers about a twentieth of the single
samples; the proxy HAProxy (RAY_SERVE_ENABLE_HA_PROXY=1), which is a quarter to a third slower for single samples and
images, about as fast for the rest, and open to the network on two ports; batch_wait_timeout_s 0 and 1 ms, whose
difference is within the noise.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import orjson
import ray
from PIL import Image
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

Array = npt.NDArray[np.float32]
BATCHING: dict[str, Any] = {"max_batch_size": 16, "batch_wait_timeout_s": 0.0}
QUIET = {"enable_access_log": False, "log_level": "WARNING"}


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 1}, logging_config=QUIET)
class AutoencoderDeployment:
    """The deployment: it has a path for each kind of body."""

    def __init__(self, folder: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(Path(folder) / name, options, providers=["CPUExecutionProvider"])
            for name in ("encoder.onnx", "decoder.onnx")
        )
        self.shape = (-1, *self.encoder.get_inputs()[0].shape[1:])

    @serve.batch(**BATCHING)
    async def encode(self, samples: list[Array]) -> list[Array]:
        """Run the samples of several requests together."""
        return run(self.encoder, "samples", samples)

    @serve.batch(**BATCHING)
    async def decode(self, latents: list[Array]) -> list[Array]:
        """Run the latents of several requests together."""
        return run(self.decoder, "latents", latents)

    async def __call__(self, request: Request) -> Response:
        """Answer in the format of the body; any other path gets an empty answer."""
        path, body = request.url.path, await request.body()
        if path == "/encode":
            samples = np.array(orjson.loads(body)["samples"], np.float32).reshape(self.shape)
            return as_json("latents", await self.encode(samples))
        if path == "/decode":
            latents = np.array(orjson.loads(body)["latents"], np.float32)
            return as_json("samples", await self.decode(latents))
        if path == "/encode.png":
            pixels = np.asarray(Image.open(io.BytesIO(body)), np.float32) / 255
            return as_json("latents", await self.encode(pixels.reshape(self.shape)))
        if path == "/encode.npy":
            file = io.BytesIO()
            np.save(file, await self.encode(np.load(io.BytesIO(body)).reshape(self.shape)))
            return Response(file.getvalue(), media_type="application/x-npy")
        return Response()


def run(session: Any, name: str, arrays: list[Array]) -> list[Array]:
    """Run all arrays together, and return the part of each."""
    rows = session.run(None, {name: np.concatenate(arrays)})[0]
    return np.split(rows, np.cumsum([len(array) for array in arrays])[:-1])


def as_json(name: str, rows: Array) -> Response:
    """Write a JSON object whose one member holds nested lists."""
    return Response(orjson.dumps({name: rows}, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


if __name__ == "__main__":
    ray.init(address="local", num_cpus=1, include_dashboard=False, object_store_memory=100 * 2**20)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["BENCH_PORT"])}, logging_config=QUIET)
    serve.run(AutoencoderDeployment.bind(os.environ["BENCH_FOLDER"]), blocking=True)
