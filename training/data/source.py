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


VECTOR_HINT = "for windows of series, and other numbers that are not pictures, say --kind vector"


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
    window: tuple[int, ...] = ()
    """The shape of a sample before it was flattened; empty: it was flat."""
    is_kind_guessed: bool = False
    """True if an array of three axes was taken for images although its numbers are not 8-bit pixels."""
    pixels: PixelFormat = PixelFormat()
    notes: Mapping[str, str] = field(default_factory=dict)
    """Further lines of the findings, by their names of at most 11 characters."""
    missing: npt.NDArray[np.bool_] | None = None
    """(N, F): True where a median of the column stands in for a missing value; None if none is missing."""
    one_hot: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values of each column of text whose features are named `column=value`."""
    further_columns: tuple[str, ...] = ()
    """The columns of a table that are neither among those that the options name nor the label."""
    booleans: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The words for 0 and 1 of each column of such words."""

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
    channels if its size is 1 or 3, else the last one is. Vectors of more axes, such as windows of series, are flattened
    and keep their `window`. Raises DataError.
    """
    _check_axes(source, kind)
    samples = source.samples
    is_guess = kind is None and source.kind is None and samples.ndim == 3 and samples.dtype not in (np.uint8, np.bool_)
    kind = kind or source.kind or ("vector" if samples.ndim == 2 else "image")
    window = samples.shape[1:] if kind == "vector" and samples.ndim > 2 else ()
    samples = _as_images(source) if kind == "image" else samples.reshape(len(samples), math.prod(samples.shape[1:]))
    if kind == "vector" and samples.shape[1] < 2:
        raise DataError(f"{source.origin}: expected at least 2 columns of numbers, got {samples.shape[1]}")
    arranged = replace(
        source,
        samples=samples,
        kind=kind,
        window=window,
        is_kind_guessed=is_guess,
        notes={**source.notes, **({"axes": f"taken for height and width; {VECTOR_HINT}"} if is_guess else {})},
        validation=_arrange_part(source.validation, kind, samples),
        test=_arrange_part(source.test, kind, samples),
    )
    return _with_one_type(arranged)


def _check_axes(source: Source, kind: SampleKind | None) -> None:
    samples = source.samples
    if samples.dtype.kind not in "biuf":
        raise DataError(f"{source.origin}: expected numbers, got the type {samples.dtype}")
    if samples.ndim < 2:
        raise DataError(f"{source.origin}: expected rows of at least two numbers, got shape {samples.shape}")
    if samples.ndim > 4 and kind != "vector":
        raise DataError(
            f"{source.origin}: expected 2 axes (vectors), or 3 or 4 (images), got shape {samples.shape}; {VECTOR_HINT}"
        )
    if len(samples) == 0:
        raise DataError(f"{source.origin}: expected at least one row, got none")
    if source.kind == "vector" and kind == "image":
        raise DataError(f"{source.origin}: a table has no images, but --kind image was said")


def with_test_part(source: Source, test: Source) -> Source:
    """Return the rows with those of another file as their test part. Raises DataError if the two do not fit."""
    for part in (source, test):
        if part.test is not None or part.validation is not None:
            raise DataError(f"{part.origin}: the data have parts of their own already; leave out --test")
    if test.feature_names != source.feature_names:
        if sorted(test.feature_names) != sorted(source.feature_names):
            lacking = [name for name in source.feature_names if name not in test.feature_names]
            excess = [name for name in test.feature_names if name not in source.feature_names]
            problem = f'no column "{lacking[0]}"' if lacking else f'a column "{excess[0]}"'
            raise DataError(f"{test.origin}: expected the columns of {source.origin}, but there is {problem}")
        order = [test.feature_names.index(name) for name in source.feature_names]
        test = replace(test, samples=test.samples[:, order], feature_names=source.feature_names)
    return replace(source, test=test)


def _arrange_part(part: Source | None, kind: SampleKind, training: npt.NDArray[Any]) -> Source | None:
    """Return the validation or the test part, in the training part's type. Raises DataError if the two do not fit."""
    if part is None:
        return None
    part = arrange_axes(part, kind)
    samples, noun = part.samples, "images" if kind == "image" else "rows"
    if samples.shape[1:] != training.shape[1:]:
        sizes = f"{list(samples.shape[1:])} and {list(training.shape[1:])}"
        raise DataError(f"{part.origin}: its {noun} and those for training differ in size: {sizes}")
    if kind == "image" and samples.dtype != training.dtype and np.uint8 in (samples.dtype, training.dtype):
        types = f"{samples.dtype} and {training.dtype}"  # 8 bits stand for 0 to 1, other numbers for themselves
        raise DataError(f"{part.origin}: its images and those for training have different types: {types}")
    return part


def _with_one_type(source: Source) -> Source:
    """Return the parts in a type that holds the numbers of all, so that equal rows are found across parts."""
    parts = [part for part in (source.validation, source.test) if part is not None]
    if not parts:
        return source
    dtype = np.result_type(source.samples, *(part.samples for part in parts))

    def in_type(part: Source | None) -> Source | None:
        return part and replace(part, samples=part.samples.astype(dtype, copy=False))

    samples = source.samples.astype(dtype, copy=False)
    return replace(source, samples=samples, validation=in_type(source.validation), test=in_type(source.test))


def check_image_size(origin: str, height: int, width: int, hint: str = "") -> None:
    """Raise DataError, with a hint at its end, if an image is too small or too large."""
    if not (MIN_SIDE_PIXELS <= height <= MAX_SIDE_PIXELS and MIN_SIDE_PIXELS <= width <= MAX_SIDE_PIXELS):
        raise DataError(
            f"{origin}: expected images of {MIN_SIDE_PIXELS} to {MAX_SIDE_PIXELS} pixels a side, "
            f"got {height}x{width} (height x width){hint}"
        )


def _as_images(source: Source) -> npt.NDArray[Any]:
    """Return the samples with the shape (N, C, H, W)."""
    samples = source.samples
    if samples.ndim == 2:
        raise DataError(f"{source.origin}: --kind image was said, but shape {samples.shape} has no height and width")
    if samples.ndim == 3:
        samples = samples[:, None]
    elif samples.shape[1] not in (1, 3):
        if samples.shape[3] not in (1, 3):
            raise DataError(
                f"{source.origin}: expected 1 (grey) or 3 (RGB) channels as second or last axis, got shape "
                f"{samples.shape}; {VECTOR_HINT}"
            )
        samples = np.moveaxis(samples, 3, 1)
    is_small = min(samples.shape[2:]) < MIN_SIDE_PIXELS
    check_image_size(source.origin, samples.shape[2], samples.shape[3], f"; {VECTOR_HINT}" if is_small else "")
    return samples
