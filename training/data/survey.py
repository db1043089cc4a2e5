"""One pass over all rows, piece by piece: what is refused, and what must be known of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.dataset import Numbers, Samples
from training.data.source import Source
from training.errors import DataError

PIECE = 16 * 2**20
"""Bytes of rows that are looked at together."""

KEPT = (np.uint8, np.int8, np.int16)
"""Types that are stored as they came; torch indexes them, and they are smaller than float32, which the rest becomes."""


@dataclass(frozen=True)
class Survey:
    """What all rows of a source are, beside numbers that can be stored."""

    digests: Numbers
    """(N,): equal for equal rows, and different for different ones but for one chance in 2^64 a pair."""
    low: Samples
    """The least value of each number of a sample, (F,), stored."""
    high: Samples


def survey(source: Source, value_range: tuple[float, float] | None) -> Survey:
    """
    Look at every row once. Raises DataError for NaN, infinite values, values that float32 cannot hold, and values
    outside of a range that was stated, with the row.
    """
    low = high = stored(source.samples[:1]).reshape(-1)
    digests = np.empty(len(source.samples), np.int64)
    for rows in pieces(source.samples):
        raw = source.samples[rows]
        _refuse(source, rows.start, raw, value_range)
        flat = stored(raw).reshape(len(raw), -1)
        low, high = np.minimum(low, flat.min(axis=0)), np.maximum(high, flat.max(axis=0))
        digests[rows] = row_digests(flat)
    return Survey(digests, low, high)


def pieces(samples: npt.NDArray[Any]) -> Iterator[slice]:
    """Slices of rows that cover all of them."""
    rows = max(1, PIECE // max(1, samples[:1].nbytes))
    return (slice(start, min(start + rows, len(samples))) for start in range(0, len(samples), rows))


def stored(samples: npt.NDArray[Any]) -> Samples:
    """In the type that a split keeps, C-contiguous."""
    if samples.dtype == np.bool_:
        return np.ascontiguousarray(samples, np.uint8)
    with np.errstate(over="ignore"):  # what overflows is refused elsewhere, by name
        return np.ascontiguousarray(samples, stored_dtype(samples.dtype))


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that a split keeps numbers of this type in."""
    if dtype == np.bool_:
        return np.dtype(np.uint8)
    native = dtype.newbyteorder("=")
    return native if native in KEPT else np.dtype(np.float32)


def first_unstorable(values: npt.NDArray[Any]) -> tuple[int, ...] | None:
    """The index of the first value that float32 cannot hold as a finite number."""
    if values.dtype.kind != "f":
        return None
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(np.float32, copy=False))
    return None if finite.all() else tuple(int(i) for i in np.unravel_index(finite.argmin(), finite.shape))


def complaint(value: float) -> str:
    """What is wrong with such a value."""
    if np.isnan(value):
        return "not a number (NaN)"
    return "infinite" if np.isinf(value) else f"{value:g} is too large for float32"


def row_digests(flat: Samples) -> Numbers:
    """(N, F) -> (N,). Zero and minus zero are equal. Another process gives other digests: only equality counts."""
    if flat.dtype == np.float32:
        flat = flat + np.float32(0)
    row = np.dtype((np.void, flat.shape[1] * flat.itemsize))
    return np.fromiter(map(hash, flat.view(row).ravel().tolist()), np.int64, len(flat))


def _refuse(source: Source, start: int, raw: npt.NDArray[Any], value_range: tuple[float, float] | None) -> None:
    place = first_unstorable(raw)
    if place:
        raise DataError(f"{_where(source, start, place)}: {complaint(float(raw[place]))}")
    if value_range and (raw.min() < value_range[0] or raw.max() > value_range[1]):
        outside = (raw < value_range[0]) | (raw > value_range[1])
        place = tuple(int(i) for i in np.unravel_index(outside.argmax(), outside.shape))
        raise DataError(
            f"{_where(source, start, place)}: expected values from {value_range[0]:g} to {value_range[1]:g}, "
            f"got {raw[place]:g}"
        )


def _where(source: Source, start: int, place: tuple[int, ...]) -> str:
    return source.where(start + place[0], place[1] if source.kind == "vector" else None)
