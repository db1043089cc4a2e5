"""Samples as PNG files: one in its own size, or several in a grid. Their levels are those of the training images."""

from __future__ import annotations

import io
import math
import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.arrays import Array
from app.inputs import ImageInput

Levels = npt.NDArray[np.uint8 | np.uint16]
"""(H, W, C), or (B, C, H, W) before they are laid out in a grid."""


def grid_size(count: int, columns: int | None) -> tuple[int, int]:
    """
    Return the rows and columns of a grid of samples.

    `columns` defaults to the square root of their count, rounded up, and is never more than their count.
    """
    columns = min(columns or math.ceil(math.sqrt(count)), count)
    return math.ceil(count / columns), columns


def write_png(samples: Array, image_input: ImageInput, columns: int | None = None, scale: int = 1) -> bytes:
    """
    Return a PNG of one sample in its own size, or of several in a grid without gaps, filled row by row, the rest black.

    Each pixel becomes a square of `scale` pixels a side. The file has 8 or 16 bits per channel, as the model's images.
    """
    ends = image_input.levels or image_input.value_range
    unit = (samples - np.float32(ends.low)) / np.float32(ends.span)
    highest, kind = (255, np.uint8) if image_input.bits == 8 else (65535, np.uint16)
    levels = np.rint(np.clip(unit, 0, 1) * np.float32(highest)).astype(kind)
    return write_grid(levels, columns, scale)


def write_grid(levels: Levels, columns: int | None, scale: int) -> bytes:
    """Return a PNG of images, whose shape is (B, C, H, W), in a grid."""
    count, channels, height, width = levels.shape
    rows, columns = grid_size(count, columns)
    canvas = np.zeros((rows * columns, channels, height, width), levels.dtype)
    canvas[:count] = levels
    grid = canvas.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    flat = grid.reshape(rows * height, columns * width, channels)
    if scale > 1:
        flat = flat.repeat(scale, axis=0).repeat(scale, axis=1)
    return _eight_bits(flat) if levels.dtype == np.uint8 else _sixteen_bits(flat)


def _eight_bits(levels: Levels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels).save(buffer, "PNG")
    return buffer.getvalue()


def _sixteen_bits(levels: Levels) -> bytes:
    """
    Return a PNG of 16 bits, which Pillow writes for grey only.

    Source: W3C, "Portable Network Graphics", sections 5.3, 9.2 and 11.2: chunks, filter 2 (up) and the header
    """
    height, width, channels = levels.shape
    lines = levels.astype(">u2").reshape(height, -1).view(np.uint8)
    filtered = np.diff(lines, axis=0, prepend=np.zeros((1, lines.shape[1]), np.uint8))
    pixels = np.hstack([np.full((height, 1), 2, np.uint8), filtered]).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 16, 0 if channels == 1 else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )
