"""Nested lists become arrays, or an error that names the first element that is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.errors import EmptyBatch, InvalidInput, NotFinite, NotNumbers, RaggedRows, ServiceError
from app.formats.json_errors import describe, to_array, to_numbers


def test_lists_of_numbers_become_arrays() -> None:
    array = to_array([[0, 0.5], [1, -2e3]], "samples")
    assert array.dtype == np.float32
    assert array.tolist() == [[0, 0.5], [1, -2000]]
    assert to_numbers([[1, 2**40]], "samples").tolist() == [[1, 2**40]]


def nested(depth: int) -> Any:
    """Return empty lists inside each other."""
    rows: Any = []
    for _ in range(depth - 1):
        rows = [rows]
    return rows


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (3, InvalidInput, "samples: expected a list of rows, got a number"),
        ({"a": 1}, InvalidInput, "got an object"),
        ([], EmptyBatch, "at least one row"),
        ([[1, 2], [1, 2, 3]], RaggedRows, "expected 2 numbers or lists at [1] as at [0], got 3"),
        ([[1, 2], 3], RaggedRows, "expected a list at [1] as at [0], got a number"),
        ([3, [1, 2]], RaggedRows, "expected a number at [1] as at [0], got a list"),
        ([[[1], [2]], [[1], [2, 3]]], RaggedRows, "at [1, 1] as at [0, 0], got 2"),
        ([[1, "2"]], NotNumbers, "expected numbers, got a string at [0, 1]"),
        ([["a", "b"]], NotNumbers, "got a string at [0, 0]"),
        ([[1, None]], NotNumbers, "got null at [0, 1]"),
        ([[1, {}]], NotNumbers, "got an object at [0, 1]"),
        ([[True, False]], NotNumbers, "got a boolean at [0, 0]"),
        ([[0.5, True]], NotNumbers, "got a boolean at [0, 1]"),
        ([[10**400]], NotFinite, "expected numbers that fit float32, got a larger one"),
        (nested(70), RaggedRows, "nested more than 8 deep"),
    ],
)
def test_invalid_rows_are_refused_with_the_reason(rows: Any, error: type[ServiceError], message: str) -> None:
    with pytest.raises(error) as caught:
        to_array(rows, "samples")
    assert type(caught.value) is error
    assert message in caught.value.detail


def test_json_types_have_names() -> None:
    values: list[Any] = [True, "a", {}, None, [], 3, 0.5]
    assert [describe(value) for value in values] == [
        "a boolean", "a string", "an object", "null", "a list", "a number", "a number",
    ]  # fmt: skip
