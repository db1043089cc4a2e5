"""
The floor: a bare ASGI application without a framework or checks, with one run per request on the event loop.

It shows the cost of an answer without anything that a server owes its users: a wrong body gets status 500, and a slow
run stops every other request. BENCH_FOLDER names the folder of a model.
"""

from __future__ import annotations

import functools
import io
import os
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import orjson
from PIL import Image

Array = npt.NDArray[np.float32]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON, NPY = b"application/json", b"application/x-npy"


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Open a session with one thread, which does not spin."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@functools.cache
def npy_header(shape: tuple[int, ...]) -> bytes:
    """Return the header of a float32 file; it is made once for each shape."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    padded = text.ljust(-(len(text) + 11) % 64 + len(text)).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded


class Floor:
    """The application for one model."""

    def __init__(self, folder: Path) -> None:
        encoder, decoder = open_session(folder / "encoder.onnx"), open_session(folder / "decoder.onnx")
        self.encoder, self.decoder = encoder.run, decoder.run
        self.shape = (-1, *encoder.get_inputs()[0].shape[1:])
        self.routes = {
            "/encode": (self.encode_json, JSON),
            "/encode.npy": (self.encode_npy, NPY),
            "/encode.png": (self.encode_png, JSON),
            "/decode": (self.decode_json, JSON),
            "/": (lambda _: b"", JSON),
        }

    def encode_json(self, body: bytes) -> bytes:
        """Encode {"samples": rows}, and return {"latents": rows}."""
        samples = np.array(orjson.loads(body)["samples"], np.float32).reshape(self.shape)
        return self.latents(samples)

    def encode_npy(self, body: bytes) -> bytes:
        """Encode a `.npy` file; float32 in C order is assumed, not checked."""
        start = 10 + body[8] + 256 * body[9]
        samples = np.frombuffer(body, np.float32, offset=start).reshape(self.shape)
        latents: Array = self.encoder(None, {"samples": samples})[0]
        return npy_header(latents.shape) + latents.tobytes()

    def encode_png(self, body: bytes) -> bytes:
        """Encode a PNG; 8-bit grey pixels of the model's size are assumed, not checked."""
        pixels = np.asarray(Image.open(io.BytesIO(body), formats=("PNG",)), np.float32)
        return self.latents((pixels / np.float32(255)).reshape(self.shape))

    def decode_json(self, body: bytes) -> bytes:
        """Decode {"latents": rows}, and return {"samples": rows}."""
        latents = np.array(orjson.loads(body)["latents"], np.float32)
        samples = self.decoder(None, {"latents": latents})[0]
        return orjson.dumps({"samples": samples}, option=orjson.OPT_SERIALIZE_NUMPY)

    def latents(self, samples: Array) -> bytes:
        """Return the latents of samples, as JSON."""
        latents = self.encoder(None, {"samples": samples})[0]
        return orjson.dumps({"latents": latents}, option=orjson.OPT_SERIALIZE_NUMPY)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request; lifespan messages are not supported."""
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        answer, content_type = self.routes[scope["path"]]
        content = answer(body)
        headers = [(b"content-type", content_type), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def create() -> Floor:
    """Return the application for the model in BENCH_FOLDER."""
    return Floor(Path(os.environ["BENCH_FOLDER"]))
