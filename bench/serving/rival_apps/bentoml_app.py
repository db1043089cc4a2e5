# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
"""
BentoML, adaptive batching on.

Followed: the pages "Adaptive batching" (batchable methods over arrays and lists of images), "Input and output types",
"Workers" and "Configurations" of its documentation; no access log, no metrics. The batch counts rows, and a request
larger than a batch is split. A `.npy` file arrives as a path, BentoML's type for files, and such a method is not
batchable: only arrays and lists can be batched.

Tried: batches of 16, 32, 100 (the default), 512 and 1000 rows; max_latency_ms 60000 (the default), 10000, and 100,
which refused requests; `async` methods, which save a thread and gained nothing for JSON; a single image without
batching; uvicorn's faster loop and parser, which BentoML uses if they are installed, and which are kept.
"""

# No `from __future__ import annotations` here: BentoML reads the annotations of each method.

import io
import os
from pathlib import Path
from typing import Annotated, Any

import bentoml
import numpy as np
import onnxruntime
from bentoml.validators import ContentType, DType
from PIL import Image

Rows = Annotated[np.ndarray, DType("float32")]
Npy = ContentType("application/x-npy")
BATCHING: dict[str, Any] = {"batchable": True, "max_batch_size": 100, "max_latency_ms": 60_000}


def open_session(name: str) -> Any:
    """Open a session with one thread, which does not spin."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    path = Path(os.environ["BENCH_FOLDER"]) / f"{name}.onnx"
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@bentoml.service(
    name="autoencoder",
    workers=1,
    threads=1,
    resources={"cpu": "1"},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class AutoencoderService:
    """The service: each method is a path."""

    def __init__(self) -> None:
        self.encoder, self.decoder = open_session("encoder"), open_session("decoder")
        self.shape = (-1, *self.encoder.get_inputs()[0].shape[1:])

    @bentoml.api(**BATCHING)
    def encode(self, samples: Rows) -> Rows:
        """Encode flat rows."""
        return self.latents(samples)

    @bentoml.api(**BATCHING)
    def decode(self, latents: Rows) -> Rows:
        """Decode latents."""
        samples: Rows = self.decoder.run(None, {"latents": latents})[0]
        return samples

    @bentoml.api(**BATCHING)
    def encode_images(self, images: list[Image.Image]) -> Rows:
        """Encode grey images of the model's size."""
        return self.latents(np.stack([np.asarray(image, np.float32) for image in images]) / np.float32(255))

    @bentoml.api
    def encode_npy(self, file: Annotated[Path, Npy], /) -> Annotated[bytes, Npy]:
        """Encode a `.npy` file, and return another."""
        answer = io.BytesIO()
        np.save(answer, self.latents(np.load(file)))
        return answer.getvalue()

    def latents(self, samples: Rows) -> Rows:
        """Run the encoder once."""
        latents: Rows = self.encoder.run(None, {"samples": samples.reshape(self.shape)})[0]
        return latents
