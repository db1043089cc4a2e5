"""The rows that a reader returns, not yet checked or split, and the order of their axes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from training.errors import DataError

SampleKind = Literal["image", "vector"]

MIN_SIDE_PIXELS, MAX_SIDE_PIXELS = 8, 256
"""The least and the largest height and width of an image."""


@dataclass(frozen=True)
class PixelFormat:
    """Facts about image files that the manifest keeps, so that the server reads others alike."""

    bits: Literal[8, 16] = 8
    levels: tuple[float, float] | None = None
    """The numbers that the lowest and the highest level stand for; None: the ends of the value range."""
    background: tuple[int, ...] = ()
    """The colour under transparent pixels, one number from 0 to 255 per channel; empty: black."""


@dataclass(frozen=True)
class Source:
    """Rows of one file or folder, in their order there."""

    origin: str
    """The file or folder, for messages."""
    samples: npt.NDArray[Any]
    """(N, ...), numbers in the file's type; may be mapped from the file."""
    labels: npt.NDArray[Any] | None = None
    """(N,), in the file's type."""
    kind: SampleKind | None = None
    """None: the number of axes decides."""
    feature_names: tuple[str, ...] = ()
    first_row: int = 0
    """The number of the first row in messages: 0 as in numpy, 1 in a table."""
    files: tuple[Path, ...] = ()
    """The file of each row, if each row has its own."""
    value_range: tuple[float, float] | None = None
    """The range of the data set's values, if it is known."""
    validation: Source | None = None
    """The validation part of a data set that has its own."""
    test: Source | None = None
    """The test part of a data set that has its own."""
    pixels: PixelFormat = PixelFormat()
    notes: Mapping[str, str] = field(default_factory=dict)
    """Further lines of the findings, by their names of at most 11 characters."""

    def place(self, row: int, column: int | None = None) -> str:
        """Return the place of a row, or of a number in it, for messages."""
        if self.files:
            return str(self.files[row])
        counted = " (from 0)" if self.first_row == 0 else ""
        place = f"{self.origin}: row {row + self.first_row}{counted}"
        return place if column is None else f"{place}, column {self.column_name(column)}"

    def column_name(self, column: int) -> str:
        """Return a column's name in quotes, or its number, counted from 0, if it has no name."""
        return f'"{self.feature_names[column]}"' if self.feature_names else str(column)


def arrange_axes(source: Source, kind: SampleKind | None) -> Source:
    """
    Return the samples as images (N, C, H, W) or as vectors (N, F), as a view if their memory allows one.

    Without a kind, matrices become vectors, and arrays of 3 or 4 axes become images. The second of 4 axes is the
    channels if its size is 1 or 3, else the last one is. Raises DataError.
    """
    samples = source.samples
    if samples.dtype.kind not in "biuf":
        raise DataError(f"{source.origin}: expected numbers, got the type {samples.dtype}")
    if samples.ndim not in (2, 3, 4):
        raise DataError(f"{source.origin}: expected 2 axes (vectors), or 3 or 4 (images), got shape {samples.shape}")
    if len(samples) == 0:
        raise DataError(f"{source.origin}: expected at least one row, got none")
    if source.kind == "vector" and kind == "image":
        raise DataError(f"{source.origin}: a table has no images, but kind is 'image'")
    kind = kind or source.kind or ("vector" if samples.ndim == 2 else "image")
    samples = _as_images(source) if kind == "image" else samples.reshape(len(samples), math.prod(samples.shape[1:]))
    if kind == "vector" and samples.shape[1] < 2:
        raise DataError(f"{source.origin}: expected at least 2 columns of numbers, got {samples.shape[1]}")
    validation = source.validation and arrange_axes(source.validation, kind)
    test = source.test and arrange_axes(source.test, kind)
    for name, part in (("validation", validation), ("test", test)):
        if part and part.samples.shape[1:] != samples.shape[1:]:
            raise DataError(f"{source.origin}: training and {name} images differ in size")
    return replace(source, samples=samples, kind=kind, validation=validation, test=test)


def check_image_size(origin: str, height: int, width: int) -> None:
    """Raise DataError if an image is too small or too large."""
    if not (MIN_SIDE_PIXELS <= height <= MAX_SIDE_PIXELS and MIN_SIDE_PIXELS <= width <= MAX_SIDE_PIXELS):
        raise DataError(
            f"{origin}: expected images of {MIN_SIDE_PIXELS} to {MAX_SIDE_PIXELS} pixels a side, "
            f"got {height}x{width} (height x width); a folder of image files can be resized by --image-size H W"
        )


def _as_images(source: Source) -> npt.NDArray[Any]:
    """Return the samples with the shape (N, C, H, W)."""
    samples = source.samples
    if samples.ndim == 2:
        raise DataError(f"{source.origin}: kind is 'image', but shape {samples.shape} has no height and width")
    if samples.ndim == 3:
        samples = samples[:, None]
    elif samples.shape[1] not in (1, 3):
        if samples.shape[3] not in (1, 3):
            raise DataError(
                f"{source.origin}: expected 1 (grey) or 3 (RGB) channels as second or last axis, got shape "
                f"{samples.shape}"
            )
        samples = np.moveaxis(samples, 3, 1)
    check_image_size(source.origin, samples.shape[2], samples.shape[3])
    return samples
