# mypy: disable-error-code="import-not-found, import-untyped, misc"
"""
LitServe, batching on.

Followed: the pages "Batching" (max_batch_size, batch_timeout) and "Request and response format" of its documentation,
and the docstring of LitServer: fast_queue for more than 100 requests a second (0.2.19 accepts it and still uses the
slower queue), log_level "warning" and no client file in production. One worker and one HTTP process, because there is
one core, and one API for both graphs, because each API has a process that polls. Answers are complete responses:
lists, which FastAPI would convert, took twice as long, and thirty times as long for decoded samples.

Tried: batch_timeout 0 (takes a whole core when idle and is slower), 1, 2, 3, 5, 10 and 20 ms: shorter is better for one
connection, longer is better for 16, and 3 ms is a compromise; batches of 16 and 64 requests; the HTTP server in a
thread.
"""

# No `from __future__ import annotations` here: LitServe compares the annotation of `request` with a class.

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import litserve
import numpy as np
import numpy.typing as npt
import onnxruntime
import orjson
from fastapi import Request, Response
from PIL import Image

Array = npt.NDArray[np.float32]
Task = tuple[str, Array, bool]
"""A graph or the name of its output, the rows of one request, and True if the answer is a file."""


class AutoencoderAPI(litserve.LitAPI):
    """An API for both graphs; requests of both kinds may share a batch."""

    def setup(self, device: str) -> None:
        """Open the graphs in the worker process."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        folder = Path(os.environ["BENCH_FOLDER"])
        self.sessions = {
            name: onnxruntime.InferenceSession(folder / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
            for name in ("encoder", "decoder")
        }
        self.shape = (-1, *self.sessions["encoder"].get_inputs()[0].shape[1:])

    def decode_request(self, request: Request) -> Task:
        """Read the JSON object or the form with a file, which LitServe passes in place of the request."""
        content: Mapping[str, Any] = request
        if "samples" in content:
            return "encoder", np.array(content["samples"], np.float32).reshape(self.shape), False
        if "latents" in content:
            return "decoder", np.array(content["latents"], np.float32), False
        if "image" in content:
            pixels = np.asarray(Image.open(content["image"].file), np.float32) / 255
            return "encoder", pixels.reshape(self.shape), False
        return "encoder", np.load(content["npy"].file).reshape(self.shape), True

    def batch(self, inputs: list[Task]) -> list[Task]:
        """Return the requests unchanged, because they differ in their graph and their number of rows."""
        return inputs

    def predict(self, x: list[Task]) -> list[Task]:
        """Run each graph once for all requests that need it."""
        answers = list(x)
        for name, input_name, output_name in (("encoder", "samples", "latents"), ("decoder", "latents", "samples")):
            places = [place for place, task in enumerate(x) if task[0] == name]
            if places:
                arrays = [x[place][1] for place in places]
                rows = self.sessions[name].run(None, {input_name: np.concatenate(arrays)})[0]
                parts = np.split(rows, np.cumsum([len(array) for array in arrays])[:-1])
                for place, part in zip(places, parts, strict=True):
                    answers[place] = (output_name, part, x[place][2])
        return answers

    def encode_response(self, output: Task) -> Response:
        """Write JSON, or a `.npy` file as the answer to one."""
        name, rows, is_file = output
        if not is_file:
            body = orjson.dumps({name: rows}, option=orjson.OPT_SERIALIZE_NUMPY)
            return Response(body, media_type="application/json")
        file = io.BytesIO()
        np.save(file, rows)
        return Response(file.getvalue(), media_type="application/x-npy")


if __name__ == "__main__":
    api = AutoencoderAPI(max_batch_size=16, batch_timeout=0.003)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )
