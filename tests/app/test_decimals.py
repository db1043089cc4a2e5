"""Numbers from 0 to 1 in nine decimals: what they read as, and which arrays are left to others."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from app.formats import decimals
from app.formats.decimals import write_decimals

Array = npt.NDArray[np.float32]

UNIT = st.floats(0, 1, width=32)
ROWS = arrays(np.float32, array_shapes(min_dims=2, max_dims=4, max_side=5), elements=UNIT)


def read(text: bytes | None) -> Any:
    assert text is not None
    return json.loads(text, parse_float=Decimal)


@settings(max_examples=200)
@given(ROWS)
def test_each_number_is_the_nearest_of_nine_decimals(rows: Array) -> None:
    numbers = np.array(read(write_decimals(rows)), dtype=object)
    assert numbers.shape == rows.shape
    for number, expected in zip(numbers.flat, rows.flat, strict=True):
        exact = Decimal(float(expected))
        assert abs(number - exact) <= Decimal("5.000001e-10")
        assert number == number.quantize(Decimal("1e-9"), ROUND_HALF_EVEN)


@given(arrays(np.float32, (3, 7), elements=st.floats(2**-7, 1, width=32)))
def test_what_is_not_tiny_is_restored_exactly(rows: Array) -> None:
    text = write_decimals(rows)
    assert text is not None
    assert np.array_equal(np.array(json.loads(text), np.float32), rows)


def test_the_ends_and_the_brackets() -> None:
    assert write_decimals(np.array([[[0, 1], [0.5, -0.0]]], np.float32)) == (
        b"[[[0.000000000,1.000000000],[0.500000000,0.000000000]]]"
    )


@pytest.mark.parametrize("shape", [(50, 1, 28, 28), (2, 3, 120, 110), (70_000, 1)])
def test_more_than_one_block(shape: tuple[int, ...]) -> None:
    assert np.prod(shape) > decimals.BLOCK
    rows = np.random.default_rng(1).random(shape, np.float32)
    text = write_decimals(rows)
    assert text is not None
    np.testing.assert_allclose(np.array(json.loads(text)), rows.astype(np.float64), rtol=0, atol=5.001e-10)


def test_an_array_that_lies_in_another_order() -> None:
    rows = np.random.default_rng(2).random((4, 5, 6), np.float32)
    assert write_decimals(rows.transpose(2, 0, 1)) == write_decimals(np.ascontiguousarray(rows.transpose(2, 0, 1)))


@pytest.mark.parametrize("odd", [-1e-9, np.nextafter(np.float32(1), np.float32(2)), np.nan, np.inf, -np.inf])
def test_other_numbers_are_left_to_others(odd: float) -> None:
    rows = np.full((2, 3), 0.5, np.float32)
    rows[1, 1] = odd
    assert write_decimals(rows) is None


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), ()])
def test_other_shapes_are_left_to_others(shape: tuple[int, ...]) -> None:
    assert write_decimals(np.zeros(shape, np.float32)) is None
