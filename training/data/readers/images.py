"""The reader of a folder of PNG, JPEG and WebP images, which decodes them with the server's function."""

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
from training.data.source import Source, check_image_size
from training.errors import DataError

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
FORMATS = ("PNG", "JPEG", "WEBP")

Size = tuple[int, int]
"""(height, width)"""


def read_images(folder: Path, size: Size | None, colour: Literal["grey", "rgb"] | None) -> Source:
    """
    Read all images of a folder, sorted by path, as uint8 (N, C, H, W); an image's sub-folder is its label.

    Without `size`, all images must have the same size. Without `colour`, they are grey if all files are stored as
    grey, else RGB. Raises DataError.
    """
    files = _find_files(folder)
    headers = [_read_header(file) for file in files]
    height, width = size or _common_size(files, [header[0] for header in headers])
    check_image_size(str(folder if size else files[0]), height, width)
    grey = colour == "grey" or (colour is None and all(header[1] for header in headers))
    samples = np.empty((len(files), 1 if grey else 3, height, width), np.uint8)
    for row, file in enumerate(files):
        samples[row] = _read_pixels(file, (height, width), grey, resize=size is not None)
    return Source(str(folder), samples, _labels(folder, files), files=tuple(files))


def _find_files(folder: Path) -> list[Path]:
    """Return the image files of a folder and its sub-folders, without hidden files and hidden folders."""
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
    """Return the name of each file's outermost sub-folder; None if all files are in the folder itself."""
    loose = [file for file in files if file.parent == folder]
    if not loose:
        return np.array([file.relative_to(folder).parts[0] for file in files])
    if len(loose) < len(files):
        nested = next(file for file in files if file.parent != folder)
        raise DataError(f"{folder}: expected all images in sub-folders or none, got {loose[0].name} beside {nested}")
    return None


def _read_header(path: Path) -> tuple[Size, bool]:
    """Return height and width as displayed, and True if the file is stored as grey, without decoding pixels."""
    with _open_image(path) as image:
        width, height = image.size
        if image.getexif().get(ExifTags.Base.Orientation) in EXIF_ROTATED:
            width, height = height, width
        return (height, width), image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I")


def _common_size(files: list[Path], sizes: list[Size]) -> Size:
    for file, size in zip(files, sizes, strict=True):
        if size != sizes[0]:
            (height, width), (first_height, first_width) = size, sizes[0]
            raise DataError(
                f"{file}: {height}x{width} pixels (height x width), but {files[0]} has {first_height}x{first_width}; "
                f"data.image_size resizes all images to one size"
            )
    return sizes[0]


def _read_pixels(path: Path, size: Size, grey: bool, *, resize: bool) -> npt.NDArray[np.uint8]:
    """Return the pixels with the shape (C, H, W)."""
    height, width = size
    with _open_image(path) as image:
        pixels = read_pixels(image, 1 if grey else 3, height, width)
        displayed = image.size[::-1]
        if image.getexif().get(ExifTags.Base.Orientation) in EXIF_ROTATED:
            displayed = image.size
        # Pillow reads an orientation that the file stores behind its pixels only when it has decoded them
        if not resize and displayed != size:
            raise DataError(f"{path}: expected {height}x{width} pixels, got {displayed[0]}x{displayed[1]}")
    return pixels


@contextmanager
def _open_image(path: Path) -> Iterator[Image.Image]:
    """Open an image of one of the three formats, whatever its suffix. Raises DataError, also for errors of the body."""
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
    except Exception as error:  # Pillow's decoders raise exceptions of many types
        raise DataError(f"{path}: cannot be decoded as a PNG, JPEG or WebP image: {error}") from error
