"""Convert image files to samples and back. A pixel's 0..255 is scaled to the manifest's value range."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from time import monotonic

import numpy as np
import numpy.typing as npt
from PIL import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from app.arrays import Array
from app.errors import InvalidImage, TooManyPixels
from app.formats.deep_pixels import is_deep_colour
from app.formats.image_parts import check_parts
from app.formats.pixels import read_deep_pixels, read_pixels
from app.formats.plain_png import PlainPng, find_plain
from app.inputs import ImageInput, ValueRange

FORMATS: dict[str, tuple[str, Callable[[io.BytesIO], ImageFile.ImageFile]]] = {
    "image/png": ("PNG", PngImageFile),
    "image/jpeg": ("JPEG", JpegImageFile),
    "image/webp": ("WEBP", WebPImageFile),
}
"""Pillow's name and decoder for each media type. No other decoder is tried, and opening an image decodes no pixels."""

Opened = ImageFile.ImageFile | PlainPng
"""An image whose header is read and whose pixels are not decoded."""

WEBP_COST = 4
"""The memory of a WebP's pixel, in libwebp and Pillow, as a multiple of the memory of a PNG's or JPEG's pixel."""
DEEP_COST = 4
"""The memory of a pixel of 16-bit colours that are read whole, likewise: both bytes are decoded, and then joined."""
MAX_SECONDS = 10.0
"""Seconds for decoding all images of a request. One image takes a second at most, thousands of usual ones as well."""
UNKNOWN_SIZE = 2**31
"""The size of an image whose header is not read here: too large for the event loop."""


def decoding_size(content: bytes, media_type: str) -> int:
    """
    Return the size of the work of decoding a PNG: its bytes or, if they are more, the pixels that its header claims.

    Use it to choose a thread, never to accept an image. Other formats have UNKNOWN_SIZE.
    Source: W3C, "Portable Network Graphics", section 11.2.1: IHDR comes first, width and height are its first members
    """
    if media_type != "image/png" or len(content) < 24:
        return UNKNOWN_SIZE
    width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    return max(len(content), width * height)


def media_type(content: bytes) -> str:
    """Return the media type of an image, by its first bytes. Raises InvalidImage."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    raise InvalidImage("expected a PNG, JPEG or WebP image, but it does not begin like one")


def read_image(content: bytes, media_type: str, expected: ImageInput, max_pixels: int) -> Array:
    """
    Return one sample from one image of any size and colour, converted as by `read_pixels`.

    Shape: (1, C, H, W). Raises InvalidImage or TooManyPixels.
    """
    image = _open(content, media_type, expected)
    _check_pixels([image], expected, max_pixels)
    return _sample(image, media_type, expected)[None]


def read_images(contents: Sequence[bytes], expected: ImageInput, max_pixels: int) -> Array:
    """
    Return one sample from each image, as `read_image` does. `max_pixels` limits the sum of their pixels.

    Shape: (N, C, H, W). Raises InvalidImage, or TooManyPixels before the first image is decoded.
    """
    images, end = [], monotonic() + MAX_SECONDS
    for index, content in enumerate(contents):
        with _numbered(index):
            _check_time(end)
            kind = media_type(content)
            images.append((_open(content, kind, expected), kind))
    _check_pixels([image for image, _ in images], expected, max_pixels)
    samples = np.empty((len(images), *expected.shape), np.float32)
    images.reverse()
    for index in range(len(images)):
        with _numbered(index):
            _check_time(end)
            samples[index] = _sample(*images.pop(), expected)  # its pixels may take many times the sample's memory
    return samples


@lru_cache(maxsize=64)
def _levels(ends: ValueRange, count: int) -> Array:
    """Return the number that each level of a pixel stands for: the first one is the low end, the last the high end."""
    levels: Array = ends.low + np.arange(count, dtype=np.float32) * np.float32(ends.span / (count - 1))
    return np.minimum(levels, np.float32(ends.high))  # rounding may exceed it


@contextmanager
def _numbered(index: int) -> Iterator[None]:
    """Add the index of an image that cannot be read to the error."""
    try:
        yield
    except InvalidImage as error:
        raise InvalidImage(f"image {index}, counted from 0: {error.detail}") from error


def _check_time(end: float) -> None:
    """Raise InvalidImage after this time, so that many slow images together do not hold a thread."""
    if monotonic() > end:
        raise InvalidImage(f"expected images that are decoded within {MAX_SECONDS:g} s, but the others took longer")


def _open(content: bytes, media: str, expected: ImageInput) -> Opened:
    """Read the header of an image: its size is known then, and no pixel is decoded. Raises InvalidImage."""
    plain = find_plain(content, expected.shape) if expected.bits == 8 else None
    return plain or _open_any(content, media)


def _open_any(content: bytes, media: str) -> ImageFile.ImageFile:
    """Open an image with Pillow. Raises InvalidImage."""
    name, decoder = FORMATS[media]
    check_parts(content, media)
    try:
        return decoder(io.BytesIO(content))
    except Exception as error:  # Pillow's decoders raise many classes
        raise InvalidImage(f"expected a {name} image, but it cannot be decoded") from error


def _check_pixels(images: Sequence[Opened], expected: ImageInput, max_pixels: int) -> None:
    """Raise TooManyPixels if the images have more pixels together, of which some count several times."""
    costs = [_pixel_cost(image, expected) for image in images]
    pixels = sum(image.width * image.height * cost for image, cost in zip(images, costs, strict=True))
    if pixels > max_pixels:
        got = f"{images[0].width}x{images[0].height}" if len(images) == 1 else f"{pixels} in {len(images)} images"
        note = f"; a WebP image's count {WEBP_COST} times" if any(image.format == "WEBP" for image in images) else ""
        if any(image.format != "WEBP" and cost > 1 for image, cost in zip(images, costs, strict=True)):
            note += f"; those of 16-bit colours count {DEEP_COST} times"
        raise TooManyPixels(f"expected at most {max_pixels} pixels in a request, got {got}{note}")


def _pixel_cost(image: Opened, expected: ImageInput) -> int:
    """Return how many times an image's pixels count."""
    if isinstance(image, PlainPng):
        return 1
    if image.format == "WEBP":
        return WEBP_COST
    return DEEP_COST if expected.bits == 16 and is_deep_colour(image) else 1


def _sample(image: Opened, media: str, expected: ImageInput) -> Array:
    """Decode an image to a sample of shape (C, H, W). Raises InvalidImage."""
    if isinstance(image, PlainPng):
        levels = image.levels()
        if levels is not None:
            return _numbers(levels, expected)
        image = _open_any(image.content, media)
    read = read_pixels if expected.bits == 8 else read_deep_pixels
    try:
        channels, height, width = expected.shape
        pixels = read(image, channels, height, width, expected.background)
    except Exception as error:  # as in _open
        raise InvalidImage(f"expected a {FORMATS[media][0]} image, but it cannot be decoded") from error
    return _numbers(pixels, expected)


def _numbers(levels: npt.NDArray[np.uint8 | np.uint16], expected: ImageInput) -> Array:
    """Return the numbers that the levels of pixels stand for."""
    numbers: Array = _levels(expected.levels or expected.value_range, 1 << expected.bits).take(levels)
    return numbers
