"""Images to samples and back. An 8-bit pixel's 0..255 stand for the manifest's value range."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""

FORMATS: dict[str, tuple[str, Callable[[io.BytesIO], ImageFile.ImageFile]]] = {
    "image/png": ("PNG", PngImageFile),
    "image/jpeg": ("JPEG", JpegImageFile),
    "image/webp": ("WEBP", WebPImageFile),
}
"""Pillow's decoder for each media type; no other decoder is ever tried, and none decodes before it is told to."""


SHRUNK = 3.0
"""How many times larger than the model's size an image stays when it is shrunk coarsely, before it is shrunk well."""
LYING = (5, 6, 7, 8)
"""Orientations whose rows are columns. Source: Exif 2.3, section 4.6.4"""
TILE = 1024
"""Pixels in height and width of what is converted at once; a power of two."""
WEBP_COST = 4
"""How many times the memory of another image's pixels libwebp and Pillow take for a WebP image's."""
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


def media_type(content: bytes) -> str:
    """The media type of an image, by its first bytes. Raises InvalidImage."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    raise InvalidImage("expected a PNG, JPEG or WebP image, but it does not begin as one")


def read_image(content: bytes, media_type: str, expected: ImageInput, max_pixels: int) -> Array:
    """
    One sample from one image of any size and colour.

    Turned as its EXIF orientation says, alpha laid over black, made grey or RGB, then resized to the model's height
    and width. Shape: (1, C, H, W). Raises InvalidImage or TooManyPixels.
    """
    image = _open(content, media_type)
    _bound_pixels([image], max_pixels)
    return _sample(image, media_type, expected)[None]


def read_images(contents: Sequence[bytes], expected: ImageInput, max_pixels: int) -> Array:
    """
    One sample from each image, as `read_image` has it; the bound is on their pixels together.

    Shape: (N, C, H, W). Raises InvalidImage or TooManyPixels, before the first is decoded.
    """
    images = []
    for index, content in enumerate(contents):
        with _numbered(index):
            kind = media_type(content)
            images.append((_open(content, kind), kind))
    _bound_pixels([image for image, _ in images], max_pixels)
    samples = np.empty((len(images), *expected.shape), np.float32)
    for index, (image, kind) in enumerate(images):
        with _numbered(index), image:  # closed at once: its pixels may be many times the sample
            samples[index] = _sample(image, kind, expected)
    return samples


def write_png(samples: Array, drawn: ImageInput, columns: int | None = None) -> bytes:
    """
    One sample as an image of its own size; several as a grid without gaps, row by row, the rest of it black.

    `columns` is by default the square root of their number, rounded up, and never more than it.
    """
    value_range = drawn.value_range
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
    """The number that each of a pixel's 256 values stands for."""
    levels: Array = value_range.low + np.arange(256, dtype=np.float32) * np.float32(value_range.span / 255)
    return np.minimum(levels, np.float32(value_range.high))  # the sum may round up past it


@contextmanager
def _numbered(index: int) -> Iterator[None]:
    """Say which of several images it is that cannot be read."""
    try:
        yield
    except InvalidImage as error:
        raise InvalidImage(f"image {index}, counted from 0: {error.detail}") from error


def _open(content: bytes, media: str) -> ImageFile.ImageFile:
    """An image whose head has been read: its size is known, and nothing is decoded. Raises InvalidImage."""
    name, decoder = FORMATS[media]
    try:
        return decoder(io.BytesIO(content))
    except Exception as error:  # Pillow's decoders raise whatever the bytes lead them to
        raise InvalidImage(f"expected a {name} image, but it cannot be decoded") from error


def _bound_pixels(images: Sequence[Image.Image], max_pixels: int) -> None:
    """Raise TooManyPixels of more pixels together, where a WebP image's count as many times as they cost."""
    pixels = sum(image.width * image.height * (WEBP_COST if image.format == "WEBP" else 1) for image in images)
    if pixels > max_pixels:
        got = f"{images[0].width}x{images[0].height}" if len(images) == 1 else f"{pixels} in {len(images)} images"
        note = f"; a WebP image's count {WEBP_COST} times" if any(image.format == "WEBP" for image in images) else ""
        raise TooManyPixels(f"expected at most {max_pixels} pixels in a request, got {got}{note}")


def _sample(image: Image.Image, media: str, expected: ImageInput) -> Array:
    """Shape: (C, H, W). Raises InvalidImage."""
    try:
        pixels = read_pixels(image, *expected.shape)
    except Exception as error:  # as in _open
        raise InvalidImage(f"expected a {FORMATS[media][0]} image, but it cannot be decoded") from error
    sample: Array = _levels(expected.value_range).take(pixels)
    return sample


def read_pixels(image: Image.Image, channels: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """
    The pixels of an opened image as a model has them, for its training as for its service.

    Turned as its EXIF orientation says, 16 bits scaled to 8, alpha laid over black, grey for one channel or RGB for
    three, resized. Shape: (C, H, W). Raises what Pillow's decoders raise.
    """
    if isinstance(image, JpegImageFile):  # decoded to an eighth of its size, at least: photos are many times larger
        side = int(SHRUNK * max(height, width))
        image.draft(None, (side, side))  # None leaves the colours as they are
    mode = "L" if channels == 1 else "RGB"
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    box = (0.0, 0.0, float(image.width), float(image.height))
    if image.width * image.height > TILE * TILE:
        image, box = _made_smaller(image, mode, int(SHRUNK * max(height, width)))
    else:
        image = _opaque(image, mode)
    size = (height, width) if orientation in LYING else (width, height)
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=SHRUNK)
    if orientation != 1:
        image.getexif()[ExifTags.Base.Orientation] = orientation  # of an image made anew there is none
        image = ImageOps.exif_transpose(image)
    array = np.frombuffer(image.tobytes(), np.uint8).reshape(height, width, channels)
    return array.transpose(2, 0, 1)


def _made_smaller(image: Image.Image, mode: str, side: int) -> tuple[Image.Image, Box]:
    """
    An image in grey or RGB, its sides divided by powers of two, as far as they stay at least `side` pixels; and the box
    of it that the image fills, since the last column and the last row may stand for less than the others.

    Tile by tile: of a whole image, each step of a conversion would take as much memory as the image.
    """
    across, down = (1 << min(TILE, max(1, length // side)).bit_length() - 1 for length in image.size)
    smaller = Image.new(mode, (-(-image.width // across), -(-image.height // down)))
    for top in range(0, image.height, TILE):
        for left in range(0, image.width, TILE):
            box = (left, top, min(left + TILE, image.width), min(top + TILE, image.height))
            tile = _opaque(image.crop(box), mode).reduce((across, down))
            smaller.paste(tile, (left // across, top // down))
    return smaller, (0.0, 0.0, image.width / across, image.height / down)


def _opaque(image: Image.Image, mode: str) -> Image.Image:
    """An image in grey or RGB, over black."""
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip instead of scale
        image = Image.fromarray(_eight_bits()[np.asarray(image).clip(0, 65535).astype(np.uint16)])
    if image.has_transparency_data:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, "black")
        image = Image.alpha_composite(black, image)
    return image if image.mode == mode else image.convert(mode)


@lru_cache(maxsize=1)
def _eight_bits() -> npt.NDArray[np.uint8]:
    """The nearest of 256 levels to each of 65536."""
    return np.rint(np.arange(65536) / 257).astype(np.uint8)
