"""What the benchmark knows of a server: how to start it, what to send it, how to read its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

Load = Literal["json-1", "json-32", "binary-32", "png", "decode-32"]
"""
json-1, json-32   samples as JSON numbers, flat rows -> latents as JSON
binary-32         32 samples as float32 bytes (.npy or the server's own binary format) -> latents in the same format
png               one sample as an 8-bit grey PNG of the model's size -> latents as JSON
decode-32         32 latents as JSON numbers -> samples as JSON
"""


@dataclass(frozen=True)
class Inputs:
    """What every contender is asked about one model."""

    samples: Array
    """(32, *input_shape), in [0, 1]; `json-1` sends the first one."""
    latents: Array
    """(32, latent_dim)"""
    png: bytes
    """One grey image of the model's size."""


@dataclass(frozen=True)
class Request:
    """One HTTP request, the same every time."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


@dataclass(frozen=True)
class Contender:
    """
    A server that the benchmark starts, asks and stops.

    `start` gives the command line for a free port and the folder of one model, which holds `encoder.onnx` (`samples` ->
    `latents`) and `decoder.onnx` (`latents` -> `samples`). `requests` gives a request for each load that the server can
    take; one that is missing is a dash in the table. `read` gives the rows of an answer's body, latents or samples
    flat, so that they can be compared with onnxruntime's.
    """

    name: str
    start: Callable[[int, Path], list[str]]
    requests: Callable[[Inputs], Mapping[Load, Request]]
    read: Callable[[Load, bytes], Array]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = "/"
    """A path that answers 200 when the server can serve."""
    start_seconds: float = 60.0
