"""
A typical FastAPI application, as people write it: a pydantic body, plain `def` routes, lists as answers.

It follows the tutorials, except for two settings that make it faster: sessions with one thread that does not spin, and
no access log. BENCH_FOLDER names the folder of a model. BENCH_TYPED=1 gives the answers a response model, so that
pydantic writes them.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnxruntime
from fastapi import Body, FastAPI, Response
from PIL import Image
from pydantic import BaseModel


class SamplesIn(BaseModel):
    """Flat rows of samples."""

    samples: list[list[float]]


class LatentsIn(BaseModel):
    """Rows of latents."""

    latents: list[list[float]]


class LatentsOut(BaseModel):
    """Rows of latents."""

    latents: list[list[float]]


class SamplesOut(BaseModel):
    """Images: channels, rows, columns."""

    samples: list[list[list[list[float]]]]


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Open a session with one thread, which does not spin."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def create() -> FastAPI:
    """Return the application for the model in BENCH_FOLDER."""
    folder = Path(os.environ["BENCH_FOLDER"])
    encoder, decoder = open_session(folder / "encoder.onnx"), open_session(folder / "decoder.onnx")
    shape = (-1, *encoder.get_inputs()[0].shape[1:])
    typed = os.environ.get("BENCH_TYPED") == "1"
    app = FastAPI()

    @app.get("/")
    def ready() -> str:
        return "ok"

    @app.post("/encode", response_model=LatentsOut if typed else None)
    def encode(body: SamplesIn) -> Any:
        samples = np.array(body.samples, dtype=np.float32).reshape(shape)
        return {"latents": encoder.run(None, {"samples": samples})[0].tolist()}

    @app.post("/encode.png", response_model=LatentsOut if typed else None)
    def encode_png(body: Annotated[bytes, Body(media_type="image/png")]) -> Any:
        pixels = np.array(Image.open(io.BytesIO(body)).convert("L"), dtype=np.float32) / 255
        return {"latents": encoder.run(None, {"samples": pixels.reshape(shape)})[0].tolist()}

    @app.post("/encode.npy")
    def encode_npy(body: Annotated[bytes, Body(media_type="application/x-npy")]) -> Response:
        samples = np.load(io.BytesIO(body)).reshape(shape)
        file = io.BytesIO()
        np.save(file, encoder.run(None, {"samples": samples})[0])
        return Response(file.getvalue(), media_type="application/x-npy")

    @app.post("/decode", response_model=SamplesOut if typed else None)
    def decode(body: LatentsIn) -> Any:
        latents = np.array(body.latents, dtype=np.float32)
        return {"samples": decoder.run(None, {"latents": latents})[0].tolist()}

    return app
