"""
The channels of an image with 16 bits each, as floating point numbers from 0 to 65535.

Pillow opens only grey images of 16 bits as such; of colours it keeps one byte. A PNG or a TIFF is therefore decoded
twice, once for each byte: this is the one module that knows how Pillow 13.0 names the order of bytes in an image's
`tile`. A format in which that is not possible is read as Pillow reads it, as 8 bits.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

Floats = npt.NDArray[np.float32]

IntBox = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""
Bands = list[Image.Image]
"""One image of floating point numbers per channel."""

MAX_LEVEL = 65535
"""The highest level of a 16-bit image."""
LEVELS_PER_LEVEL = 257
"""Levels of 16 bits for each level of 8: 255 becomes 65535."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""The shares of red, green and blue in grey. Source: ITU-R BT.601, which Pillow uses, too"""


def is_deep(image: Image.Image) -> bool:
    """Return True for an image of more than 8 bits per channel whose pixels are not decoded yet."""
    return image.mode.startswith("I") or is_deep_colour(image)


def is_deep_colour(image: Image.Image) -> bool:
    """Return True for an image of 16 bits per colour, which Pillow opens as one of 8, if its pixels are not decoded."""
    modes = (tile.args if isinstance(tile.args, str) else str(tile.args) for tile in getattr(image, "tile", ())[:1])
    return not image.mode.startswith("I") and any(";16" in mode for mode in modes)


def has_deep_levels(image: Image.Image) -> bool:
    """Return True for an image of 16 bits per colour whose levels can be read, if its pixels are not decoded."""
    return is_deep_colour(image) and (isinstance(image, PngImageFile) or bool(_tiff_layout(image)))


def deep_bands(image: Image.Image, channels: int, background: Sequence[int]) -> Callable[[IntBox | None], Bands]:
    """
    Return the function that converts an image, or a part of it, to one image of numbers per channel.

    Transparent pixels are laid over the background, one number from 0 to 255 per channel.
    """
    ground = np.array(tuple(background) or (0,), np.float32) * LEVELS_PER_LEVEL
    if not is_deep(image):
        return lambda box: _bands(_spread(image.crop(box) if box else image), channels, ground)
    key = image.info.get("transparency")
    levels = _colours(image) if is_deep_colour(image) else np.asarray(image)[..., None]

    def convert(box: IntBox | None) -> Bands:
        left, top, right, bottom = box or (0, 0, *image.size)
        return _bands(_with_key(levels[top:bottom, left:right], key), channels, ground)

    return convert


def _colours(image: Image.Image) -> npt.NDArray[np.uint16]:
    """Return the levels of an image of grey and alpha, RGB or RGBA, (H, W, C)."""
    if not (isinstance(image, ImageFile.ImageFile) and has_deep_levels(image)):
        return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB")) * np.uint16(257)
    assert image.fp is not None
    image.fp.seek(0)
    content = image.fp.read()
    if tiff := _tiff_layout(image):
        return _tiff_levels(content, *tiff)
    layout = str(image.tile[0].args).partition(";")[0]
    if layout == "LA":  # four bytes per pixel, which are read as if they were RGBA
        pairs = _decoded(content, "RGBA")
        return pairs[..., 0::2].astype(np.uint16) * 256 + pairs[..., 1::2]
    levels = _decoded(content, f"{layout};16B").astype(np.uint16)
    levels <<= 8  # in place, as each copy takes as much memory as the image
    levels |= _decoded(content, f"{layout};16L")
    return levels


def _tiff_layout(image: Image.Image) -> tuple[str, bool] | None:
    """Return the bands of a TIFF of 16 bits per colour, and True if the low byte comes first; None for any other."""
    layouts = {tile.args[0] if isinstance(tile.args, tuple) else tile.args for tile in getattr(image, "tile", ())}
    bands, _, order = str(layouts.pop()).partition(";16") if len(layouts) == 1 else ("", "", "")
    if not isinstance(image, TiffImageFile) or bands not in ("RGB", "RGBA") or order not in ("L", "B", "N"):
        return None
    return bands, order == "L" or (order == "N" and sys.byteorder == "little")


def _tiff_levels(content: bytes, bands: str, is_little: bool) -> npt.NDArray[np.uint16]:
    parts = []
    for order in "LB" if is_little else "BL":  # the high byte, then the low one
        image = TiffImageFile(io.BytesIO(content))
        image.tile = [
            tile._replace(args=(f"{bands};16{order}", *tile.args[1:]) if isinstance(tile.args, tuple) else "")
            for tile in image.tile
        ]
        parts.append(np.asarray(image).astype(np.uint16))
    return parts[0] * np.uint16(256) + parts[1]


def _decoded(content: bytes, layout: str) -> npt.NDArray[np.uint8]:
    """Return a PNG decoded as if its pixels had a layout of bytes: `16L` takes the second byte of each pair."""
    image = PngImageFile(io.BytesIO(content))
    image.tile = [tile._replace(args=layout) for tile in image.tile]
    return np.asarray(image)


def _spread(image: Image.Image) -> Floats:
    """Return an image of 8 bits, whose levels become those of 16 bits, (H, W, C)."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    levels: Floats = np.asarray(image, np.float32) * LEVELS_PER_LEVEL
    return levels.reshape(*levels.shape[:2], -1)


def _with_key(levels: npt.NDArray[Any], key: object) -> Floats:
    """Return levels as numbers, with a channel for alpha if a level or a colour stands for transparent pixels."""
    numbers: Floats = levels.astype(np.float32)
    if not isinstance(key, int | tuple) or levels.shape[2] in (2, 4):
        return numbers
    opaque = (levels != np.array(key)).any(axis=2, keepdims=True)
    return np.concatenate([numbers, opaque.astype(np.float32) * MAX_LEVEL], axis=2)


def _bands(levels: Floats, channels: int, ground: Floats) -> Bands:
    """Return the channels of levels (H, W, 1 to 4), of which the second or fourth is alpha."""
    alpha = levels[..., -1:] / np.float32(MAX_LEVEL) if levels.shape[2] in (2, 4) else None
    colours = levels if alpha is None else levels[..., :-1]
    if channels == 3 and colours.shape[2] == 1:
        colours = colours.repeat(3, axis=2)
    elif channels == 1 and colours.shape[2] == 3:
        colours = (colours @ LUMA)[..., None]
    if alpha is not None:
        colours = colours * alpha + ground * (1 - alpha)
    return [Image.fromarray(np.ascontiguousarray(colours[..., channel])) for channel in range(channels)]
