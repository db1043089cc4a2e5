"""The types in which samples are compared and stored in memory, and the conversion to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

StoredSamples = npt.NDArray[np.uint8 | np.int8 | np.int16 | np.float32]
"""(N, *input_shape)"""
Integers = npt.NDArray[np.int64]
"""(N,): labels, indices of rows, groups or digests."""

MAX_EXACT_INTEGER = 2**53
"""Whole numbers up to this one are exact in float64."""

CHUNK_BYTES = 16 * 2**20
"""Bytes of samples that are converted at a time."""

SMALL_DTYPES = (np.uint8, np.int8, np.int16)
"""Types that are stored unchanged: torch can index them, and they are smaller than float32, which the rest become."""


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which numbers of a type are stored."""
    if dtype == np.bool_:
        return np.dtype(np.uint8)
    native = dtype.newbyteorder("=")
    return native if native in SMALL_DTYPES else np.dtype(np.float32)


def comparable(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """
    Return samples as the file holds them, C-contiguous, in the machine's byte order; booleans are bytes.

    Numbers that float32 cannot tell apart stay different.
    """
    dtype = np.dtype(np.uint8) if samples.dtype == np.bool_ else samples.dtype.newbyteorder("=")
    return np.ascontiguousarray(samples, dtype)


def exact_dtype(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    """Return the smallest type for columns of several types; `widened` makes room for whole numbers beyond 2^53."""
    return np.result_type(*dtypes) if dtypes else np.dtype(np.float32)


def widened(samples: npt.NDArray[Any], column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a table's samples, in a wider type if theirs would round the whole numbers of a column."""
    is_rounded = samples.dtype.kind == "f" and column.dtype.kind in "iu" and column.size
    if is_rounded and max(-int(column.min()), int(column.max())) > MAX_EXACT_INTEGER:
        return samples.astype(np.longdouble)
    return samples


def to_stored(samples: npt.NDArray[Any]) -> StoredSamples:
    """Return samples in the type in which they are stored, C-contiguous."""
    with np.errstate(over="ignore"):  # first_unstorable reports values that overflow
        return np.ascontiguousarray(samples, stored_dtype(samples.dtype))


def row_chunks(samples: npt.NDArray[Any]) -> Iterator[slice]:
    """Return slices of rows, each about CHUNK_BYTES long, that together cover all rows."""
    rows = max(1, CHUNK_BYTES // max(1, samples[:1].nbytes))
    return (slice(start, min(start + rows, len(samples))) for start in range(0, len(samples), rows))


def first_unstorable(values: npt.NDArray[Any]) -> tuple[int, ...] | None:
    """Return the index of the first value that is not a finite number in float32; None if there is none."""
    if values.dtype.kind != "f":
        return None
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(np.float32, copy=False))
    return None if finite.all() else tuple(int(i) for i in np.unravel_index(finite.argmin(), finite.shape))


def describe_unstorable(value: float) -> str:
    """Return the reason why float32 cannot hold a value as a finite number, for messages."""
    if np.isnan(value):
        return "not a number (NaN)"
    return "infinite" if np.isinf(value) else f"{value:g} is too large for float32"


def shown(value: float) -> str:
    """Return a number in as few digits as tell it from its neighbours, for messages."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value)).removesuffix(".0")
