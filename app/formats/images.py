"""Convert image files to samples and back. A pixel's 0..255 is scaled to the manifest's value range."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from time import monotonic

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from app.arrays import Array
from app.errors import InvalidImage, TooManyPixels
from app.formats.image_parts import check_parts
from app.inputs import ImageInput, ValueRange

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""

FORMATS: dict[str, tuple[str, Callable[[io.BytesIO], ImageFile.ImageFile]]] = {
    "image/png": ("PNG", PngImageFile),
    "image/jpeg": ("JPEG", JpegImageFile),
    "image/webp": ("WEBP", WebPImageFile),
}
"""Pillow's name and decoder for each media type. No other decoder is tried, and opening an image decodes no pixels."""

COARSE_SCALE = 3.0
"""A fast reduction leaves this multiple of the model's height and width for the final, precise resize."""
EXIF_ROTATED = (5, 6, 7, 8)
"""EXIF orientations that exchange height and width. Source: Exif 2.3, section 4.6.4"""
TILE_PIXELS = 1024
"""Height and width of the part of a large image that is converted at once; a power of two."""
WEBP_COST = 4
"""The memory of a WebP's pixel, in libwebp and Pillow, as a multiple of the memory of a PNG's or JPEG's pixel."""
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
    image = _open(content, media_type)
    _check_pixels([image], max_pixels)
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
            images.append((_open(content, kind), kind))
    _check_pixels([image for image, _ in images], max_pixels)
    samples = np.empty((len(images), *expected.shape), np.float32)
    for index, (image, kind) in enumerate(images):
        with _numbered(index), image:  # close at once: the pixels may take many times the memory of the sample
            _check_time(end)
            samples[index] = _sample(image, kind, expected)
    return samples


def write_png(samples: Array, image_input: ImageInput, columns: int | None = None) -> bytes:
    """
    Return a PNG of one sample in its own size, or of several in a grid without gaps, filled row by row, the rest black.

    `columns` defaults to the square root of their count, rounded up, and is never more than their count.
    """
    value_range = image_input.value_range
    unit = (samples - np.float32(value_range.low)) / np.float32(value_range.span)
    pixels = np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
    count, channels, height, width = pixels.shape
    columns = min(columns or math.ceil(math.sqrt(count)), count)
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
    """Return the number in the value range for each of a pixel's 256 values."""
    levels: Array = value_range.low + np.arange(256, dtype=np.float32) * np.float32(value_range.span / 255)
    return np.minimum(levels, np.float32(value_range.high))  # rounding may exceed it


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


def _open(content: bytes, media: str) -> ImageFile.ImageFile:
    """Read the header of an image: its size is known then, and no pixel is decoded. Raises InvalidImage."""
    name, decoder = FORMATS[media]
    check_parts(content, media)
    try:
        return decoder(io.BytesIO(content))
    except Exception as error:  # Pillow's decoders raise many classes
        raise InvalidImage(f"expected a {name} image, but it cannot be decoded") from error


def _check_pixels(images: Sequence[Image.Image], max_pixels: int) -> None:
    """Raise TooManyPixels if the images have more pixels together. Those of a WebP image count WEBP_COST times."""
    pixels = sum(image.width * image.height * (WEBP_COST if image.format == "WEBP" else 1) for image in images)
    if pixels > max_pixels:
        got = f"{images[0].width}x{images[0].height}" if len(images) == 1 else f"{pixels} in {len(images)} images"
        note = f"; a WebP image's count {WEBP_COST} times" if any(image.format == "WEBP" for image in images) else ""
        raise TooManyPixels(f"expected at most {max_pixels} pixels in a request, got {got}{note}")


def _sample(image: Image.Image, media: str, expected: ImageInput) -> Array:
    """Decode an image to a sample of shape (C, H, W). Raises InvalidImage."""
    try:
        pixels = read_pixels(image, *expected.shape)
    except Exception as error:  # as in _open
        raise InvalidImage(f"expected a {FORMATS[media][0]} image, but it cannot be decoded") from error
    sample: Array = _levels(expected.value_range).take(pixels)
    return sample


def read_pixels(image: Image.Image, channels: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """
    Return the pixels of an opened image in the model's shape. Training and serving both use this function.

    The image is rotated by its EXIF orientation, reduced from 16 bits to 8, laid over black if it has alpha, converted
    to grey for one channel or RGB for three, and resized. Shape: (C, H, W). Raises what Pillow's decoders raise.
    """
    if isinstance(image, JpegImageFile):  # decode to as little as an eighth of its size: photos are large
        side = int(COARSE_SCALE * max(height, width))
        image.draft(None, (side, side))  # None keeps the colour mode
    mode = "L" if channels == 1 else "RGB"
    image.load()  # a PNG's metadata may follow its pixels
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1) if image.info else 1
    box = (0.0, 0.0, float(image.width), float(image.height))
    if image.width * image.height > TILE_PIXELS * TILE_PIXELS:
        image, box = _reduce(image, mode, int(COARSE_SCALE * max(height, width)))
    else:
        image = _opaque(image, mode)
    size = (height, width) if orientation in EXIF_ROTATED else (width, height)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=COARSE_SCALE)
    if orientation != 1:
        image.getexif()[ExifTags.Base.Orientation] = orientation  # a converted image has lost it
        image = ImageOps.exif_transpose(image)
    array = np.frombuffer(image.tobytes(), np.uint8).reshape(height, width, channels)
    return array.transpose(2, 0, 1)


def _reduce(image: Image.Image, mode: str, side: int) -> tuple[Image.Image, Box]:
    """
    Convert an image to grey or RGB and divide its sides by powers of two, keeping them at least `side` pixels.

    Returns it with the box that the original fills: the last column and row may cover fewer pixels than the others.
    Works tile by tile, because each step on a whole image would take as much memory as the image.
    """
    across, down = (1 << min(TILE_PIXELS, max(1, length // side)).bit_length() - 1 for length in image.size)
    smaller = Image.new(mode, (-(-image.width // across), -(-image.height // down)))
    for top in range(0, image.height, TILE_PIXELS):
        for left in range(0, image.width, TILE_PIXELS):
            box = (left, top, min(left + TILE_PIXELS, image.width), min(top + TILE_PIXELS, image.height))
            tile = _opaque(image.crop(box), mode).reduce((across, down))
            smaller.paste(tile, (left // across, top // down))
    return smaller, (0.0, 0.0, image.width / across, image.height / down)


def _opaque(image: Image.Image, mode: str) -> Image.Image:
    """Return an image in grey or RGB, laid over black."""
    if image.mode.startswith("I"):  # 16-bit grey: Pillow would clip it instead of scaling
        image = Image.fromarray(_eight_bits()[np.asarray(image).clip(0, 65535).astype(np.uint16)])
    if image.has_transparency_data:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, "black")
        image = Image.alpha_composite(black, image)
    return image if image.mode == mode else image.convert(mode)


@lru_cache(maxsize=1)
def _eight_bits() -> npt.NDArray[np.uint8]:
    """Return the nearest of 256 levels for each of 65536."""
    return np.rint(np.arange(65536) / 257).astype(np.uint8)
