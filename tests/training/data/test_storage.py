"""Tests of the types in which samples are stored."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.storage import (
    CHUNK_BYTES,
    describe_unstorable,
    first_unstorable,
    row_chunks,
    stored_dtype,
    to_stored,
)

STORED_DTYPES = [
    ("u1", "u1"),
    ("i1", "i1"),
    ("i2", "i2"),
    (">i2", "i2"),
    ("?", "u1"),
    ("i8", "f4"),
    ("f8", "f4"),
    (">f4", "f4"),
]


@pytest.mark.parametrize(("dtype", "expected"), STORED_DTYPES)
def test_small_integers_stay_and_others_become_float32(dtype: str, expected: str) -> None:
    array = (np.arange(60) % 50).reshape(20, 3).astype(dtype)
    stored = to_stored(array[:, ::-1])
    assert stored.dtype == stored_dtype(array.dtype) == np.dtype(expected)
    assert stored.flags.c_contiguous
    assert stored.tolist() == array[:, ::-1].astype(expected).tolist()


@pytest.mark.parametrize("columns", [1, 1000, CHUNK_BYTES // 5, 2 * CHUNK_BYTES])
def test_chunks_cover_all_rows_and_are_small(columns: int) -> None:
    samples = np.broadcast_to(np.zeros(1, np.uint8), (23, columns))
    chunks = list(row_chunks(samples))
    assert [row for chunk in chunks for row in range(chunk.start, chunk.stop)] == list(range(23))
    assert all(chunk.stop - chunk.start == 1 or samples[chunk].nbytes <= CHUNK_BYTES for chunk in chunks)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(np.nan, "not a number (NaN)"), (-np.inf, "infinite"), (1e39, "1e+39 is too large for float32")],
)
def test_the_first_unstorable_value_is_found_and_described(value: float, reason: str) -> None:
    values = np.zeros((4, 3))
    values[2, 1] = values[3, 0] = value
    index = first_unstorable(values)
    assert index == (2, 1)
    assert describe_unstorable(values[index]) == reason


@pytest.mark.parametrize("values", [np.array([3e38, -1e-50]), np.array([2**60])])
def test_finite_numbers_can_be_stored(values: np.ndarray) -> None:
    assert first_unstorable(values) is None
