"""One pass over all rows of a source: it refuses bad values, and collects what later steps need to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.source import Source
from training.data.storage import (
    Integers,
    comparable,
    describe_unstorable,
    first_unstorable,
    row_chunks,
    shown,
)
from training.errors import DataError


@dataclass(frozen=True)
class Survey:
    """Facts about all rows of a source, whose values can be stored."""

    digests: Integers
    """(N,): equal for equal rows; different rows have the same digest with a probability of 2^-64 per pair."""
    low: npt.NDArray[Any]
    """The least value of each number of a sample, (F,), as the file holds it."""
    high: npt.NDArray[Any]
    """The largest value of each number of a sample, (F,), as the file holds it."""


def survey_rows(source: Source, value_range: tuple[float, float] | None) -> Survey:
    """
    Read every row once, with the precision of the file.

    Raises DataError, with the row, for NaN, infinite values, values that float32 cannot hold, and values outside the
    range.
    """
    low = high = comparable(source.samples[:1]).reshape(-1)
    digests = np.empty(len(source.samples), np.int64)
    for rows in row_chunks(source.samples):
        chunk = source.samples[rows]
        _check_values(source, rows.start, chunk, value_range)
        flat = comparable(chunk).reshape(len(chunk), -1)
        low, high = np.minimum(low, flat.min(axis=0)), np.maximum(high, flat.max(axis=0))
        digests[rows] = row_digests(flat)
    return Survey(digests, low, high)


def row_digests(flat: npt.NDArray[Any]) -> Integers:
    """
    Return a digest of each row; zero and minus zero are equal.

    Another process computes other digests, so that they can only be compared with each other.
    Shape: (N, F) -> (N,)
    """
    if flat.dtype == np.longdouble:  # its bytes have gaps, whose content is undefined
        upper = flat.astype(np.float64)
        flat = np.concatenate([upper, (flat - upper).astype(np.float64)], axis=1)
    if flat.dtype.kind == "f":
        flat = flat + flat.dtype.type(0)
    row = np.dtype((np.void, flat.shape[1] * flat.itemsize))
    return np.fromiter(map(hash, flat.view(row).ravel().tolist()), np.int64, len(flat))


def _check_values(
    source: Source, first_row: int, chunk: npt.NDArray[Any], value_range: tuple[float, float] | None
) -> None:
    index = first_unstorable(chunk)
    if index:
        raise DataError(f"{_place(source, first_row, index)}: {describe_unstorable(float(chunk[index]))}")
    if value_range and (float(chunk.min()) < value_range[0] or float(chunk.max()) > value_range[1]):
        numbers = chunk.astype(np.float64)  # a range may lie beyond the type's largest number
        outside = (numbers < value_range[0]) | (numbers > value_range[1])
        index = tuple(int(i) for i in np.unravel_index(outside.argmax(), outside.shape))
        raise DataError(
            f"{_place(source, first_row, index)}: expected values from {shown(value_range[0])} to "
            f"{shown(value_range[1])}, got {shown(chunk[index])}"
        )


def _place(source: Source, first_row: int, index: tuple[int, ...]) -> str:
    return source.place(first_row + index[0], index[1] if source.kind == "vector" else None)
