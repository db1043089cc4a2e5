"""Samples and pictures in requests and answers of /v1, for the tiny models."""

from __future__ import annotations

import io

import httpx
import numpy as np
from PIL import Image

SAMPLE = [0.25, 0.75, 0.5, 0]
LATENT = [1, 0.5]
"""The latent vector of SAMPLE."""
HALVES = [[[0.5, 0.5], [0.25, 0.25]]]
"""The reconstruction of SAMPLE."""
ACCEPT_PNG = {"accept": "image/png"}
SEND_PNG = {"content-type": "image/png"}


def grey_png(pixels: list[list[int]]) -> bytes:
    """Return a PNG file of these pixels, from 0 to 255."""
    buffer = io.BytesIO()
    Image.fromarray(np.array(pixels, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def png_pixels(response: httpx.Response) -> list[list[int]]:
    """Return the pixels of an answer, which must be a PNG file."""
    assert response.headers["content-type"] == "image/png", response.text
    return np.asarray(Image.open(io.BytesIO(response.content))).tolist()  # type: ignore[no-any-return]
