"""Image files, and forms that hold them."""

from __future__ import annotations

import io

import httpx
import numpy as np
from PIL import Image

GREY = np.array([[[[0, 51], [102, 255]]], [[[255, 204], [0, 153]]]], np.uint8)
"""Pixels of two images of the tiny models' shape; their levels are tenths of the range."""


def encoded(image: Image.Image, name: str = "PNG", **options: object) -> bytes:
    """Return the bytes of an image file in one of Pillow's formats."""
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def pictures(count: int, name: str = "PNG", **options: object) -> list[bytes]:
    """Return the first images of GREY as files."""
    return [encoded(Image.fromarray(pixels[0]), name, **options) for pixels in GREY[:count]]


def form(files: list[bytes]) -> tuple[bytes, str]:
    """Return a form with these files as browsers send it, and its media type."""
    request = httpx.Request("POST", "http://x", files=[("file", ("a.png", file, "image/png")) for file in files])
    return request.read(), request.headers["content-type"]
