"""The loads: the requests that every server receives for a model, and the answers of onnxruntime to them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import httpx
import numpy as np
import numpy.typing as npt
import orjson

Array = npt.NDArray[np.float32]

Load = Literal["json-1", "json-32", "binary-32", "png", "decode-32"]
"""
json-1, json-32   samples as JSON numbers, flat rows -> latents as JSON
binary-32         32 samples as float32 bytes (.npy or the server's own binary format) -> latents in the same format
png               one sample as an 8-bit grey PNG of the model's size -> latents as JSON
decode-32         32 latents as JSON numbers -> samples as JSON
"""
LOADS: tuple[Load, ...] = get_args(Load)
BATCH_ROWS = 32
ROW_COUNTS: Mapping[Load, int] = {
    "json-1": 1,
    "json-32": BATCH_ROWS,
    "binary-32": BATCH_ROWS,
    "png": 1,
    "decode-32": BATCH_ROWS,
}

MODEL_NAMES: Mapping[str, tuple[str, ...]] = {
    "dense": ("bench-dense",),
    "conv": ("bench-conv",),
    "bundled": ("mnist-ae", "mnist-sdae", "mnist-vae", "mnist-vae-2d"),
}
"""The models of each repository that `bench.serving.models` writes."""
WORKLOAD_FILE = "workload.npz"

JSON = {"Content-Type": "application/json"}


class WrongAnswer(Exception):
    """A server did not answer, answered with an error, or answered with the wrong numbers."""


@dataclass(frozen=True)
class Inputs:
    """The inputs that every contender receives for one model."""

    samples: Array
    """(32, *input_shape), in [0, 1]; `json-1` sends the first one."""
    latents: Array
    """(32, latent_dim)"""
    png: bytes
    """One grey image of the model's size."""

    @property
    def flat_samples(self) -> Array:
        """The samples as flat rows: (32, input size)."""
        return self.samples.reshape(len(self.samples), -1)


@dataclass(frozen=True)
class Request:
    """One HTTP request, which is sent over and over."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


@dataclass(frozen=True)
class Workload:
    """The inputs of a model and, for each load, the rows of the correct answer, flat."""

    inputs: Inputs
    answers: Mapping[Load, Array]

    @classmethod
    def read(cls, folder: Path) -> Workload:
        """Read the file that `bench.serving.models` wrote beside a model's graphs."""
        with np.load(folder / WORKLOAD_FILE) as file:
            arrays = dict(file)
        inputs = Inputs(arrays["samples"], arrays["latents"], arrays["png"].tobytes())
        answers: dict[Load, Array] = {
            "json-1": arrays["encoded"][:1],
            "json-32": arrays["encoded"],
            "binary-32": arrays["encoded"],
            "png": arrays["encoded_png"],
            "decode-32": arrays["decoded"],
        }
        return cls(inputs, answers)


def json_requests(inputs: Inputs, encode: str, decode: str) -> dict[Load, Request]:
    """Return the requests of the JSON loads to two paths."""
    return {
        "json-1": Request(encode, rows_as_json("samples", inputs.flat_samples[:1]), JSON),
        "json-32": Request(encode, rows_as_json("samples", inputs.flat_samples), JSON),
        "decode-32": Request(decode, rows_as_json("latents", inputs.latents), JSON),
    }


def rows_as_json(name: str, rows: Array) -> bytes:
    """Write a JSON object whose one member holds the rows as nested lists."""
    return orjson.dumps({name: rows}, option=orjson.OPT_SERIALIZE_NUMPY)


def rows_as_npy(rows: Array) -> bytes:
    """Write a `.npy` file with numpy."""
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


def read_rows(load: Load, body: bytes) -> Array:
    """Read the rows of an answer: a JSON member named `latents` or `samples`, or for `binary-32` a `.npy` file."""
    if load == "binary-32":
        rows = np.load(io.BytesIO(body))
        assert rows.dtype == np.float32, rows.dtype
        return flat_rows(load, rows)
    return flat_rows(load, orjson.loads(body)["samples" if load == "decode-32" else "latents"])


def flat_rows(load: Load, numbers: object) -> Array:
    """Return the numbers of an answer as flat rows, as many as the load has. Raises ValueError for another count."""
    return np.array(numbers, np.float32).reshape(ROW_COUNTS[load], -1)


def ask(address: str, request: Request, timeout: float = 60.0) -> bytes:
    """Send a request and return the body of the answer. Raises WrongAnswer for any status except 200."""
    try:
        with httpx.Client(base_url=address, timeout=timeout) as client:
            answer = client.request(request.method, request.path, content=request.body, headers=dict(request.headers))
    except httpx.HTTPError as error:
        raise WrongAnswer(f"no answer: {error!r}") from error
    if answer.status_code != 200:
        raise WrongAnswer(f"status {answer.status_code}: {answer.text[:200]}")
    return answer.content
