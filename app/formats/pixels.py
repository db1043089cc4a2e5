"""The pixels of an opened image in a model's shape. Training and serving both use this module, and so agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from app.formats.deep_pixels import MAX_LEVEL, Bands, IntBox, deep_bands, is_deep

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""
Convert = Callable[[IntBox | None], Bands]
"""Returns an image, or a part of it, as one image in grey or RGB, or one image of numbers per channel."""

COARSE_SCALE = 3.0
"""A fast reduction leaves this multiple of the model's height and width for the final, precise resize."""
EXIF_ROTATED = (5, 6, 7, 8)
"""EXIF orientations that exchange height and width. Source: Exif 2.3, section 4.6.4"""
TILE_PIXELS = 1024
"""Height and width of the part of a large image that is converted at once; a power of two."""


def read_pixels(
    image: Image.Image, channels: int, height: int, width: int, background: Sequence[int] = ()
) -> npt.NDArray[np.uint8]:
    """
    Return the pixels of an opened image in the model's shape, as levels of 8 bits.

    The image is rotated by its EXIF orientation, reduced from 16 bits to 8, laid over the background (one number per
    channel; empty: black) if it has alpha, converted to grey for one channel or RGB for three, and resized.
    Shape: (C, H, W). Raises what Pillow's decoders raise.
    """
    _draft(image, height, width)
    mode = "L" if channels == 1 else "RGB"
    ground = _ground(background)
    convert: Convert = lambda box: [_opaque(image.crop(box) if box else image, mode, ground)]  # noqa: E731
    [band] = _resized(image, height, width, convert)
    array = np.frombuffer(band.tobytes(), np.uint8).reshape(height, width, channels)
    return array.transpose(2, 0, 1)


def read_deep_pixels(
    image: Image.Image, channels: int, height: int, width: int, background: Sequence[int] = ()
) -> npt.NDArray[np.uint16]:
    """
    Return the pixels of an opened image in the model's shape, as levels of 16 bits.

    An image of 8 bits spans them, too: its 255 becomes 65535. Otherwise as `read_pixels`. Shape: (C, H, W).
    """
    if not is_deep(image):
        _draft(image, height, width)
    bands = _resized(image, height, width, deep_bands(image, channels, background))
    levels = np.stack([np.asarray(band, np.float32) for band in bands])
    deep: npt.NDArray[np.uint16] = np.rint(levels.clip(0, MAX_LEVEL)).astype(np.uint16)
    return deep


def read_numbers(image: Image.Image, height: int, width: int) -> npt.NDArray[np.float32 | np.int32]:
    """
    Return the numbers of an opened image of one channel of floating point or 32-bit numbers. Shape: (1, H, W).

    They are the file's own, in its type, unless the image must be resized, which makes them float32.
    """
    numbers = np.asarray(image)
    if numbers.shape != (height, width) or image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        [band] = _resized(image, height, width, lambda box: [_floats(image.crop(box) if box else image)])
        numbers = np.asarray(band)
    return numbers[None]


def displayed_size(image: Image.Image) -> tuple[int, int]:
    """Return the height and width after the rotation by the EXIF orientation."""
    width, height = image.size
    rotated = image.getexif().get(ExifTags.Base.Orientation) in EXIF_ROTATED
    return (width, height) if rotated else (height, width)


def _draft(image: Image.Image, height: int, width: int) -> None:
    """Let a JPEG be decoded to as little as an eighth of its size: photos are large."""
    if isinstance(image, JpegImageFile):
        side = int(COARSE_SCALE * max(height, width))
        image.draft(None, (side, side))  # None keeps the colour mode


def _resized(image: Image.Image, height: int, width: int, convert: Convert) -> Bands:
    """Return the converted image, resized and then rotated by its EXIF orientation."""
    image.load()  # the metadata of a PNG may follow its pixels
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1) if image.info else 1
    box = (0.0, 0.0, float(image.width), float(image.height))
    if image.width * image.height > TILE_PIXELS * TILE_PIXELS:
        bands, box = _reduce(image, convert, int(COARSE_SCALE * max(height, width)))
    else:
        bands = convert(None)
    size = (height, width) if orientation in EXIF_ROTATED else (width, height)
    if bands[0].size != size:
        bands = [band.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=COARSE_SCALE) for band in bands]
    if orientation != 1:
        for band in bands:
            band.getexif()[ExifTags.Base.Orientation] = orientation  # a converted image has lost it
        bands = [ImageOps.exif_transpose(band) for band in bands]
    return bands


def _reduce(image: Image.Image, convert: Convert, side: int) -> tuple[Bands, Box]:
    """
    Convert an image and divide its sides by powers of two, keeping them at least `side` pixels.

    Returns it with the box that the original fills: the last column and row may cover fewer pixels than the others.
    Works tile by tile, because each step on a whole image would take as much memory as the image.
    """
    across, down = (1 << min(TILE_PIXELS, max(1, length // side)).bit_length() - 1 for length in image.size)
    smaller: Bands = []
    for top in range(0, image.height, TILE_PIXELS):
        for left in range(0, image.width, TILE_PIXELS):
            box = (left, top, min(left + TILE_PIXELS, image.width), min(top + TILE_PIXELS, image.height))
            tiles = convert(box)
            size = (-(-image.width // across), -(-image.height // down))
            smaller = smaller or [Image.new(tile.mode, size) for tile in tiles]
            for band, tile in zip(smaller, tiles, strict=True):
                band.paste(tile.reduce((across, down)), (left // across, top // down))
    return smaller, (0.0, 0.0, image.width / across, image.height / down)


def _floats(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image, np.float32))


def _opaque(image: Image.Image, mode: str, ground: tuple[int, ...]) -> Image.Image:
    """Return an image in grey or RGB, laid over the background."""
    if image.mode.startswith("I"):  # 16-bit grey: Pillow would clip it instead of scaling
        image = Image.fromarray(_eight_bits()[np.asarray(image).clip(0, MAX_LEVEL).astype(np.uint16)])
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, ground), image)
    return image if image.mode == mode else image.convert(mode)


def _ground(background: Sequence[int]) -> tuple[int, ...]:
    """Return a background as RGBA."""
    colour = tuple(background) or (0,)
    return (*(colour if len(colour) == 3 else colour * 3), 255)


@lru_cache(maxsize=1)
def _eight_bits() -> npt.NDArray[np.uint8]:
    """Return the nearest of 256 levels for each of 65536."""
    return np.rint(np.arange(MAX_LEVEL + 1) / 257).astype(np.uint8)
