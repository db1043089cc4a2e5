"""JSON answers restore their numbers; large arrays of numbers from 0 to 1 have nine decimals."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from app.arrays import Array
from app.formats.json_answer import BLOCK_NUMBERS, MIN_DECIMAL_NUMBERS, decimals, write_decimals, write_object

UNIT = st.floats(0, 1, width=32)
ROWS = arrays(np.float32, array_shapes(min_dims=2, max_dims=4, max_side=5), elements=UNIT)


def read(text: bytes | None) -> Any:
    assert text is not None
    return json.loads(text, parse_float=Decimal)


@settings(max_examples=200)
@given(ROWS)
def test_each_number_is_rounded_to_nine_decimals(rows: Array) -> None:
    numbers = np.array(read(write_decimals(rows)), dtype=object)
    assert numbers.shape == rows.shape
    for number, expected in zip(numbers.flat, rows.flat, strict=True):
        exact = Decimal(float(expected))
        assert abs(number - exact) <= Decimal("5.000001e-10")
        assert number == number.quantize(Decimal("1e-9"), ROUND_HALF_EVEN)


@settings(max_examples=500)
@given(arrays(np.float32, (3, 7), elements=st.floats(2**-6, 1, width=32)))
def test_nine_decimals_restore_numbers_that_are_not_tiny(rows: Array) -> None:
    text = write_decimals(rows)
    assert text is not None
    assert np.array_equal(np.array(json.loads(text), np.float32), rows)


def test_zero_and_one_have_nine_decimals() -> None:
    assert write_decimals(np.array([[[0, 1], [0.5, -0.0]]], np.float32)) == (
        b"[[[0.000000000,1.000000000],[0.500000000,0.000000000]]]"
    )


@pytest.mark.parametrize("shape", [(50, 1, 28, 28), (2, 3, 120, 110), (70_000, 1), (70_000,)])
def test_arrays_of_several_blocks_are_written(shape: tuple[int, ...]) -> None:
    assert np.prod(shape) > BLOCK_NUMBERS
    rows = np.random.default_rng(1).random(shape, np.float32)
    text = write_decimals(rows)
    assert text is not None
    np.testing.assert_allclose(np.array(json.loads(text)), rows.astype(np.float64), rtol=0, atol=5.001e-10)


def test_arrays_in_another_memory_order_are_written_alike() -> None:
    rows = np.random.default_rng(2).random((4, 5, 6), np.float32)
    assert write_decimals(rows.transpose(2, 0, 1)) == write_decimals(np.ascontiguousarray(rows.transpose(2, 0, 1)))


@pytest.mark.parametrize("odd", [-1e-9, np.nextafter(np.float32(1), np.float32(2)), np.nan, np.inf, -np.inf])
def test_numbers_outside_0_to_1_get_no_decimals(odd: float) -> None:
    rows = np.full((2, 3), 0.5, np.float32)
    rows[1, 1] = odd
    assert write_decimals(rows) is None


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,), ()])
def test_other_shapes_get_no_decimals(shape: tuple[int, ...]) -> None:
    assert write_decimals(np.zeros(shape, np.float32)) is None


def test_small_arrays_are_written_by_orjson() -> None:
    rows = np.random.default_rng(3).random((MIN_DECIMAL_NUMBERS, 1), np.float32)
    small = rows[1:]
    assert write_object({"samples": decimals(rows)}) == b'{"samples":' + (write_decimals(rows) or b"") + b"}"
    assert write_object({"samples": decimals(small)}) == orjson.dumps(
        {"samples": small}, option=orjson.OPT_SERIALIZE_NUMPY
    )


def test_large_arrays_outside_0_to_1_are_written_by_orjson() -> None:
    rows = 2 * np.random.default_rng(3).random((MIN_DECIMAL_NUMBERS, 1), np.float32)
    assert write_object({"samples": decimals(rows.T)}) == orjson.dumps(
        {"samples": np.ascontiguousarray(rows.T)}, option=orjson.OPT_SERIALIZE_NUMPY
    )


@given(arrays(np.float32, (2, 5), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_float32_is_restored_to_the_bit(rows: Array) -> None:
    numbers = json.loads(write_object({"samples": rows, "seed": 3}))["samples"]
    assert np.array_equal(np.array(numbers, np.float32), rows)
