"""
The time to read one small image file, by several decoders: a Markdown table to stdout.

    python -m bench.image_files

`server` is `app.formats.images.read_image`, whose answer is a checked sample. The others only return 8-bit levels.
pyspng and simplejpeg are measured if they are installed.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.formats.images import read_image
from app.inputs import ImageInput, ValueRange
from bench.serving.anatomy import time_call

SIDES = (28, 64, 256)
Levels = npt.NDArray[np.uint8]
Read = Callable[[], npt.NDArray[Any]]


def main() -> int:
    """Print the table."""
    sys.stdout.write("| file | side | decoder | µs |\n|---|--:|---|--:|\n")
    for kind, media_type, library in (("PNG", "image/png", "pyspng"), ("JPEG", "image/jpeg", "simplejpeg")):
        for side in SIDES:
            levels, content = write_file(kind, side)
            for name, read in decoders(kind, media_type, library, side, content).items():
                assert abs(read().reshape(side, side).astype(float) - levels).max() < (1 if kind == "PNG" else 64), name
                sys.stdout.write(f"| {kind} | {side} | {name} | {time_call(read):.0f} |\n")
    return 0


def write_file(kind: str, side: int) -> tuple[Levels, bytes]:
    """Return a smooth grey image and its file."""
    across = np.linspace(0, 3, side)
    levels = np.rint(127 + 60 * np.sin(across) + 60 * np.cos(2 * across)[:, None]).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, kind)
    return levels, file.getvalue()


def decoders(kind: str, media_type: str, library: str, side: int, content: bytes) -> dict[str, Read]:
    """Return the functions that read the file to levels or, in the server's case, to a sample of levels."""
    expected = ImageInput(shape=(1, side, side), value_range=ValueRange(low=0, high=255))

    def pillow() -> Levels:
        return np.asarray(Image.open(io.BytesIO(content), formats=(kind,)))

    found: dict[str, Read] = {"server": lambda: read_image(content, media_type, expected, 10**6), "Pillow": pillow}
    try:
        module = import_module(library)
    except ImportError:
        return found
    if library == "pyspng":
        return {**found, library: lambda: module.load(content)}
    return {**found, library: lambda: module.decode_jpeg(content, colorspace="GRAY")}


if __name__ == "__main__":
    sys.exit(main())
