"""Image files, and forms that hold them."""

from __future__ import annotations

import io
import struct
import zlib

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


def png_file(pixels: np.ndarray, colour_type: int = 0, extra: bytes = b"") -> bytes:
    """Build a PNG file of 8 or 16 bits; colour types: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA."""
    height, width = pixels.shape[:2]
    depth = 8 * pixels.dtype.itemsize
    lines = b"".join(b"\x00" + line.astype(pixels.dtype.newbyteorder(">")).tobytes() for line in pixels)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + png_chunk(b"IDAT", zlib.compress(lines)) + png_chunk(b"IEND")


def png_chunk(name: bytes, content: bytes = b"") -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def pictures(count: int, name: str = "PNG", **options: object) -> list[bytes]:
    """Return the first images of GREY as files."""
    return [encoded(Image.fromarray(pixels[0]), name, **options) for pixels in GREY[:count]]


def form(files: list[bytes]) -> tuple[bytes, str]:
    """Return a form with these files as browsers send it, and its media type."""
    request = httpx.Request("POST", "http://x", files=[("file", ("a.png", file, "image/png")) for file in files])
    return request.read(), request.headers["content-type"]
