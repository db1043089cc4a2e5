"""Headers and pixels of image files, and the list of those that cannot be read."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn, TypeVar

import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile

from app.formats.deep_pixels import has_deep_levels, is_deep_colour
from app.formats.pixels import displayed_size, read_deep_pixels, read_numbers, read_pixels
from training.data.readers.images.listing import FORMATS, READABLE
from training.errors import DataError

Size = tuple[int, int]
"""(height, width)"""
Depth = Literal["8 bits", "16 bits", "numbers"]
"""Levels of 8 or 16 bits; or numbers without a highest level: floating point or 32 bits."""
Result = TypeVar("Result")

PROBE_SIZE = (8, 8)
"""The size that images are decoded to only to find out which cannot be."""
MAX_LISTED_FILES = 100
"""Files that cannot be read, of which each is named."""


class Header(NamedTuple):
    """Facts about an image file, known before its pixels are decoded."""

    size: Size
    """As displayed."""
    is_grey: bool
    depth: Depth
    is_reduced: bool
    """True if the file has 16 bits per colour, and only 8 of them are read."""
    is_transparent: bool
    has_frames: bool
    """True if further frames or pages follow the first one."""


def read_header(path: Path) -> Header:
    """Read the header of an image without decoding pixels. Raises DataError."""
    with _open_image(path) as image:
        depth = _depth(image)
        is_grey = image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I") or _is_hidden_grey(image)
        is_reduced = depth == "8 bits" and is_deep_colour(image)
        frames = bool(getattr(image, "is_animated", False))
        return Header(displayed_size(image), is_grey, depth, is_reduced, image.has_transparency_data, frames)


def read_sample(
    path: Path, channels: int, size: Size, depth: Depth, background: Sequence[int], *, resize: bool
) -> npt.NDArray[Any]:
    """Return the pixels of an image, (C, H, W), in the type of the depth. Raises DataError."""
    with _open_image(path) as image:
        pixels: npt.NDArray[Any]
        if depth == "numbers":
            pixels = read_numbers(image, *size)
        else:
            read = read_pixels if depth == "8 bits" else read_deep_pixels
            pixels = read(image, channels, *size, background)
        # Pillow reads an orientation that the file stores behind its pixels only when it has decoded them
        if not resize and displayed_size(image) != size:
            height, width = displayed_size(image)
            raise DataError(f"{path}: expected {size[0]}x{size[1]} pixels, got {height}x{width}")
    return pixels


def read_headers(folder: Path, files: Sequence[Path]) -> list[Header]:
    """
    Return the header of each file.

    Raises DataError; it then names all files that cannot be read, also those whose header is fine.
    """
    headers, problems = _read_each(files, lambda _, file: read_header(file))
    if problems:
        _raise_problems(folder, files, _read_each(files, _probe)[1])
    return headers


def read_samples(folder: Path, files: Sequence[Path], read: Callable[[int, Path], Result]) -> list[Result]:
    """Return what a function returns for each row and file. Raises DataError, which names all files at fault."""
    samples, problems = _read_each(files, read)
    if problems:
        _raise_problems(folder, files, problems)
    return samples


def _read_each(files: Sequence[Path], read: Callable[[int, Path], Result]) -> tuple[list[Result], list[str]]:
    results, problems = [], []
    for row, file in enumerate(files):
        try:
            results.append(read(row, file))
        except DataError as error:
            problems.append(str(error))
    return results, problems


def _probe(_: int, file: Path) -> object:
    return read_sample(file, 1, PROBE_SIZE, "8 bits", (), resize=True)


def _raise_problems(folder: Path, files: Sequence[Path], problems: Sequence[str]) -> NoReturn:
    if len(problems) == 1:
        raise DataError(problems[0])
    more = [f"and {len(problems) - MAX_LISTED_FILES} more"] if len(problems) > MAX_LISTED_FILES else []
    listed = "\n".join(["", *problems[:MAX_LISTED_FILES], *more])
    raise DataError(f"{folder}: {len(problems)} of {len(files)} images cannot be read:{listed}")


def _depth(image: Image.Image) -> Depth:
    if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
        return "numbers"
    if image.mode.startswith("I") or has_deep_levels(image):
        return "16 bits"
    return "8 bits"


def _is_hidden_grey(image: Image.Image) -> bool:
    """Return True for a palette of greys, and for a PNG of grey and alpha with 16 bits, which Pillow opens as RGBA."""
    if image.mode == "P" and (palette := image.getpalette("RGB")):
        return palette[0::3] == palette[1::3] == palette[2::3]
    return isinstance(image, PngImageFile) and any(str(tile.args).startswith("LA") for tile in image.tile[:1])


@contextmanager
def _open_image(path: Path) -> Iterator[Image.Image]:
    """Open an image of one of the formats, whatever its suffix. Raises DataError, also for errors of the body."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                yield image
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path}: expected at most {Image.MAX_IMAGE_PIXELS} pixels, got far more") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: cannot be decoded as a {READABLE} image: it begins like none of them") from error
    except Exception as error:  # Pillow's decoders raise exceptions of many types
        raise DataError(f"{path}: cannot be decoded as a {READABLE} image: {error}") from error
