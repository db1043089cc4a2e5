"""Images to samples and back. An 8-bit pixel's 0..255 stand for the manifest's value range."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from app.errors import InvalidImage, TooManyPixels
from app.manifest import ImageInput, ValueRange

Array = npt.NDArray[np.float32]

FORMATS: dict[str, tuple[str, Callable[[io.BytesIO], ImageFile.ImageFile]]] = {
    "image/png": ("PNG", PngImageFile),
    "image/jpeg": ("JPEG", JpegImageFile),
    "image/webp": ("WEBP", WebPImageFile),
}
"""Pillow's decoder for each media type; no other decoder is ever tried, and none decodes before it is told to."""


TINY = 16 * 1024
"""Bytes, and pixels, up to which a PNG costs less to decode than to hand to a thread."""


def is_tiny(content: bytes, media_type: str) -> bool:
    """
    True of a PNG that says it is small: where it is decoded depends on it, not whether.

    Source: W3C, "Portable Network Graphics", section 11.2.1: IHDR comes first, width and height are its first members
    """
    if media_type != "image/png" or not 24 <= len(content) <= TINY:
        return False
    return int.from_bytes(content[16:20], "big") * int.from_bytes(content[20:24], "big") <= TINY


def read_image(content: bytes, media_type: str, expected: ImageInput, max_pixels: int) -> Array:
    """
    One sample from one image of any size and colour.

    Turned as its EXIF orientation says, alpha laid over black, made grey or RGB, then resized to the model's height
    and width. Shape: (1, C, H, W). Raises InvalidImage or TooManyPixels.
    """
    name, decoder = FORMATS[media_type]
    try:
        image: Image.Image = decoder(io.BytesIO(content))
        if image.width * image.height > max_pixels:
            raise TooManyPixels(f"expected an image of at most {max_pixels} pixels, got {image.width}x{image.height}")
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            image = ImageOps.exif_transpose(image)
        pixels = _pixels(image, expected)
    except TooManyPixels:
        raise
    except Exception as error:  # Pillow's decoders raise whatever the bytes lead them to
        raise InvalidImage(f"expected a {name} image, but it cannot be decoded") from error
    samples: Array = _levels(expected.value_range)[pixels]
    return samples[None]


def media_type(content: bytes) -> str:
    """The media type of an image, by its first bytes. Raises InvalidImage."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    raise InvalidImage("expected a PNG, JPEG or WebP image, but it does not begin as one")


def read_images(contents: Sequence[bytes], expected: ImageInput, max_pixels: int) -> Array:
    """
    One sample from each image; `max_pixels` bounds their pixels together.

    Shape: (B, C, H, W). Raises InvalidImage or TooManyPixels.
    """
    samples, pixels = [], 0
    for content in contents:
        media = media_type(content)
        samples.append(read_image(content, media, expected, max_pixels))
        image = FORMATS[media][1](io.BytesIO(content))
        pixels += image.width * image.height
        if pixels > max_pixels:
            raise TooManyPixels(f"expected images of at most {max_pixels} pixels together, got more")
    return np.concatenate(samples)


def write_png(samples: Array, drawn: ImageInput, columns: int | None = None) -> bytes:
    """
    One sample as an image of its own size; several as a grid without gaps, row by row, the rest of it black.

    `columns` is by default the square root of their number, rounded up.
    """
    value_range = drawn.value_range
    unit = (samples - np.float32(value_range.low)) / np.float32(value_range.span)
    pixels = np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
    count, channels, height, width = pixels.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    canvas = np.zeros((rows * columns, channels, height, width), np.uint8)
    canvas[:count] = pixels
    grid = canvas.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    flat = grid.reshape(rows * height, columns * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(flat[..., 0] if channels == 1 else flat).save(buffer, "PNG")
    return buffer.getvalue()


@lru_cache(maxsize=64)
def _levels(value_range: ValueRange) -> Array:
    """The number that each of a pixel's 256 values stands for."""
    levels: Array = value_range.low + np.arange(256, dtype=np.float32) * np.float32(value_range.span / 255)
    return np.minimum(levels, np.float32(value_range.high))  # the sum may round up past it


def _pixels(image: Image.Image, expected: ImageInput) -> npt.NDArray[np.uint8]:
    """Shape: (C, H, W)"""
    channels, height, width = expected.shape
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey, which Pillow would clip instead of scale
        deep = np.clip(np.asarray(image, np.float64) / 257, 0, 255)
        image = Image.fromarray(np.rint(deep).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, "black")
        image = Image.alpha_composite(black, image)
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    array = np.frombuffer(image.tobytes(), np.uint8).reshape(height, width, channels)
    return array.transpose(2, 0, 1)
