"""
A folder of PNG, JPEG and WebP images.

A pixel becomes what the service makes of it, by the same function.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from app.formats.images import EXIF_ROTATED, read_pixels
from training.data.source import Source, refuse_sides
from training.errors import DataError

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
FORMATS = ("PNG", "JPEG", "WEBP")

Size = tuple[int, int]
"""(height, width)"""


def read_images(folder: Path, size: Size | None, colour: Literal["grey", "rgb"] | None) -> Source:
    """
    All images of a folder, sorted by path, uint8 (N, C, H, W); the sub-folder that one stands in is its label.

    Without a size all must have one. Without a colour, grey where all files are stored as grey. Raises DataError.
    """
    files = _files(folder)
    heads = [_head(file) for file in files]
    height, width = size or _common_size(files, [head[0] for head in heads])
    refuse_sides(str(folder if size else files[0]), height, width)
    grey = colour == "grey" or (colour is None and all(head[1] for head in heads))
    samples = np.empty((len(files), 1 if grey else 3, height, width), np.uint8)
    for row, file in enumerate(files):
        samples[row] = _pixels(file, (height, width), grey, resize=size is not None)
    return Source(str(folder), samples, _labels(folder, files), files=tuple(files))


def _files(folder: Path) -> list[Path]:
    """Hidden files, hidden folders and files of other kinds are passed over."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not files:
        raise DataError(f"{folder}: expected PNG, JPEG or WebP images, got a folder without any")
    return files


def _labels(folder: Path, files: list[Path]) -> npt.NDArray[np.str_] | None:
    """The names of the sub-folders that stand in the folder itself."""
    loose = [file for file in files if file.parent == folder]
    if not loose:
        return np.array([file.relative_to(folder).parts[0] for file in files])
    if len(loose) < len(files):
        nested = next(file for file in files if file.parent != folder)
        raise DataError(f"{folder}: expected all images in sub-folders or none, got {loose[0].name} beside {nested}")
    return None


def _head(path: Path) -> tuple[Size, bool]:
    """Height and width as they are shown, and whether the file is stored as grey; no pixel is decoded."""
    with _opened(path) as image:
        width, height = image.size
        if image.getexif().get(ExifTags.Base.Orientation) in EXIF_ROTATED:
            width, height = height, width
        return (height, width), image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I")


def _common_size(files: list[Path], sizes: list[Size]) -> Size:
    for file, size in zip(files, sizes, strict=True):
        if size != sizes[0]:
            raise _mixed_sizes(files[0], sizes[0], file, size)
    return sizes[0]


def _mixed_sizes(first: Path, expected: Size, file: Path, size: Size) -> DataError:
    return DataError(
        f"{file}: {size[0]}x{size[1]} pixels (height x width), but {first} has {expected[0]}x{expected[1]}; "
        f"data.image_size gives all one size"
    )


def _pixels(path: Path, size: Size, grey: bool, *, resize: bool) -> npt.NDArray[np.uint8]:
    """Shape: (C, H, W)"""
    height, width = size
    with _opened(path) as image:
        pixels = read_pixels(image, 1 if grey else 3, height, width)
        turned = image.size[::-1]
        if image.getexif().get(ExifTags.Base.Orientation) in EXIF_ROTATED:
            turned = image.size
        if not resize and turned != size:  # an orientation that only stood behind the pixels
            raise DataError(f"{path}: expected {height}x{width} pixels, got {turned[0]}x{turned[1]}")
    return pixels


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image of one of the three formats, whatever its suffix says. Raises DataError, also from the body."""
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
    except Exception as error:  # Pillow's decoders raise whatever the bytes lead them to
        raise DataError(f"{path}: cannot be decoded as a PNG, JPEG or WebP image: {error}") from error
