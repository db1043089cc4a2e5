"""Inputs, answers and measurements for the tests of the benchmark, over a tiny model that is calculated by hand."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from bench.serving.loads import Array, Inputs, Load
from bench.serving.measure import Timed
from bench.serving.results import Measurement
from bench.serving.wrk import Outcome

PIXELS = np.array([[0, 255], [51, 102]], np.uint8)
SAMPLES = np.array([[0.25, 0.75, 0.5, 0.0]], np.float32) * np.linspace(1 / 32, 1, 32, dtype=np.float32)[:, None]
LATENTS = np.stack([np.linspace(0, 2, 32), np.linspace(2, 0, 32)], 1).astype(np.float32)
PAIRS = np.stack([SAMPLES[:, 0] + SAMPLES[:, 1], SAMPLES[:, 2] + SAMPLES[:, 3]], 1)
"""The latents of the samples."""
ANSWERS: dict[Load, Array] = {
    "json-1": PAIRS[:1],
    "json-32": PAIRS,
    "binary-32": PAIRS,
    "png": np.array([[1.0, 0.6]], np.float32),
    "decode-32": np.repeat(LATENTS / 2, 2, axis=1),
}
FILE_SERVER = (
    "import http.server, sys;"
    "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()"
)
"""A Python program that serves files at the port in its argument."""


def inputs() -> Inputs:
    """Return samples, latents and a grey image for a model of images with two rows and two columns."""
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    return Inputs(samples=SAMPLES.reshape(32, 1, 2, 2), latents=LATENTS, png=file.getvalue())


def measurement(
    number: int, contender: str, rate: float, cpu_us: float, load: Load = "json-1", connections: int = 16
) -> Measurement:
    """Return a measurement of the dense model, whose p50 in microseconds is a thousand times the round's number."""
    return Measurement(
        number, "dense", contender, load, connections, 100, 1.0, rate, cpu_us, 1000.0 * number, 9e3, 0.01
    )


def timed(cpu_us: float, rate: float = 100.0) -> Timed:
    """Return a measurement of a second with this CPU time per answer and these answers a second."""
    return Timed(Outcome(round(rate), 1.0, 1e3, 2e3), cpu_seconds=cpu_us * round(rate) / 1e6, disturbance=0.0)
