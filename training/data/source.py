"""What a reader hands over, before anything is checked or split, and how its axes are put in order."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from training.errors import DataError

Kind = Literal["image", "vector"]

LEAST_SIDE, LARGEST_SIDE = 8, 256
"""Height and width of an image, in pixels."""


@dataclass(frozen=True)
class Source:
    """Rows from one file, or one folder, in their order there."""

    origin: str
    """The file or folder, for messages."""
    samples: npt.NDArray[Any]
    """(N, ...), numbers of the type they came in; may be mapped from the file."""
    labels: npt.NDArray[Any] | None = None
    """(N,), as they came."""
    kind: Kind | None = None
    """None: what the number of axes says."""
    feature_names: tuple[str, ...] = ()
    first_row: int = 0
    """What messages call the first row: 0 as numpy does, 1 in a table."""
    files: tuple[Path, ...] = ()
    """One a row, where each row has its own."""
    value_range: tuple[float, float] | None = None
    """Where the data set is known to have one."""
    test: Source | None = None
    """The test part of a data set that has its own."""

    def where(self, row: int, column: int | None = None) -> str:
        """The place of a number, for messages."""
        if self.files:
            return str(self.files[row])
        counted = " (from 0)" if self.first_row == 0 else ""
        place = f"{self.origin}: row {row + self.first_row}{counted}"
        return place if column is None else f"{place}, column {self.column_name(column)}"

    def column_name(self, column: int) -> str:
        """Its name in quotes, or its number, from 0."""
        return f'"{self.feature_names[column]}"' if self.feature_names else str(column)


def arrange(source: Source, kind: Kind | None) -> Source:
    """
    The samples as images (N, C, H, W) or as vectors (N, F): a view of them wherever their memory allows one.

    Matrices become vectors, and stacks of 3 or 4 axes images, unless the source or `kind` says otherwise. Of 4 axes
    the second is the channels where it has 1 or 3 of them, else the last. Raises DataError.
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
    test = source.test and arrange(source.test, kind)
    if test and test.samples.shape[1:] != samples.shape[1:]:
        raise DataError(f"{source.origin}: training and test images differ in size")
    return replace(source, samples=samples, kind=kind, test=test)


def refuse_sides(origin: str, height: int, width: int) -> None:
    """Raise DataError for an image that is too small or too large."""
    if not (LEAST_SIDE <= height <= LARGEST_SIDE and LEAST_SIDE <= width <= LARGEST_SIDE):
        raise DataError(
            f"{origin}: expected images of {LEAST_SIDE} to {LARGEST_SIDE} pixels a side, got {height}x{width} "
            f"(height x width)"
        )


def _as_images(source: Source) -> npt.NDArray[Any]:
    """Shape: (N, C, H, W)"""
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
    refuse_sides(source.origin, samples.shape[2], samples.shape[3])
    return samples
