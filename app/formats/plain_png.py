"""
PNG files that have a model's own size and colours and hold nothing but pixels: most of those that programs send.

Pillow opens a file in Python, which takes longer than to decode a small image. So the few chunks of a plain file are
found here, and Pillow's C code decodes their pixels. Any other file, and one with an error, is left to Pillow as a
whole (`python -m bench.image_files` measures both).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
import numpy.typing as npt
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = {1: ("L", 0), 3: ("RGB", 2)}
"""Pillow's mode and the PNG's colour type, by the number of channels. Source: W3C, "PNG", section 11.2.1"""
HARMLESS = frozenset({b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"bKGD"})
"""Chunks that Pillow does not apply to pixels. Texts are not among them: they may say how an image is rotated."""
MAX_CHUNKS = 64
"""A file of more chunks is not plain."""


@dataclass(frozen=True, slots=True)
class PlainPng:
    """A plain file whose pixels are not decoded yet."""

    content: bytes
    """The whole file."""
    compressed: bytes
    """The pixels, as zlib wrote them."""
    mode: str
    width: int
    height: int
    format = "PNG"

    def levels(self) -> npt.NDArray[np.uint8] | None:
        """Return the levels of the pixels, (C, H, W), or None if they cannot be decoded: Pillow says why."""
        try:
            image = Image.frombytes(self.mode, (self.width, self.height), self.compressed, "zip", self.mode)
        except ValueError:
            return None
        array = np.frombuffer(image.tobytes(), np.uint8).reshape(self.height, self.width, -1)
        return array.transpose(2, 0, 1)


def find_plain(content: bytes, shape: tuple[int, ...]) -> PlainPng | None:
    """Return a plain PNG of this shape (C, H, W) with 8 bits per channel; None for any other file."""
    head = _head(shape)
    if not content.startswith(head):
        return None
    at, pixels = len(head), []
    for _ in range(MAX_CHUNKS):
        kind, start = content[at + 4 : at + 8], at + 8
        end = start + int.from_bytes(content[at : at + 4], "big")
        at = end + 4
        if kind == b"IDAT":  # Pillow does not look at its checksum either: the pixels have one of their own
            pixels.append(content[start:end])
        elif crc32(content[start - 4 : end]) != int.from_bytes(content[end:at], "big"):
            return None
        elif kind == b"IEND":
            channels, height, width = shape
            return PlainPng(content, b"".join(pixels), COLOURS[channels][0], width, height)
        elif kind not in HARMLESS:
            return None
    return None


@lru_cache(maxsize=64)
def _head(shape: tuple[int, ...]) -> bytes:
    """Return the signature and the first chunk of a plain file of this shape: nothing in them varies."""
    channels, height, width = shape
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    chunk = b"IHDR" + size + bytes((8, COLOURS[channels][1], 0, 0, 0))
    return SIGNATURE + (13).to_bytes(4, "big") + chunk + crc32(chunk).to_bytes(4, "big")
