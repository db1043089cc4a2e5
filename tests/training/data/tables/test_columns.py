"""A column is numbers, booleans, dates or text, and the reason is said."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from training.data.tables.columns import (
    Column,
    describe_text,
    first_text,
    has_few_values,
    read_column,
    settle_decimals,
    shortened,
)


def read(*values: Any, kind: pa.DataType | None = None) -> Column:
    """Return a column of these values."""
    return read_column(pa.chunked_array([pa.array(values, kind)]))


@pytest.mark.parametrize(
    ("column", "kind", "numbers", "missing"),
    [
        (read("1", "2.5"), "numbers", [1, 2.5], [False, False]),
        (read("1", "", "3"), "numbers", [1, 0, 3], [False, True, False]),
        (read(" 1", "?", "NaN "), "numbers", [1, 0, 0], [False, True, True]),
        (read("true", "FALSE"), "booleans", [1, 0], [False, False]),
        (read("yes", "no", "n/a"), "booleans", [1, 0, 0], [False, False, True]),
        (read("T", "F"), "booleans", [1, 0], [False, False]),
        (read("yes", "yes"), "booleans", [1, 1], [False, False]),
        (read(True, None), "booleans", [1, 0], [False, True]),
        (read(1.5, float("nan"), None), "numbers", [1.5, 0, 0], [False, True, True]),
        (read(1, None, kind=pa.int16()), "numbers", [1, 0], [False, True]),
        (read(Decimal("1.25"), None), "numbers", [1.25, 0], [False, True]),
        (read_column(pa.chunked_array([pa.array([3, 5]).dictionary_encode()])), "numbers", [3, 5], [False, False]),
    ],
)
def test_numbers_and_booleans_are_read_with_the_mask_of_missing_ones(
    column: Column, kind: str, numbers: list[float], missing: list[bool]
) -> None:
    assert column.kind == kind
    assert column.numbers is not None
    assert column.numbers.tolist() == numbers
    assert column.missing.tolist() == missing


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (read("red", "blue"), "text"),
        (read("F", "F"), "text"),  # may be female
        (read("", "NA"), "empty"),
        (read(None, None), "empty"),
        (read(datetime.date(2020, 1, 1)), "dates"),
        (read([1], [2]), "other"),
        (read(b"x"), "other"),
        (read("x", "y", kind=pa.string_view()), "text"),
    ],
)
def test_other_columns_have_a_kind_and_no_numbers(column: Column, kind: str) -> None:
    assert (column.kind, column.numbers) == (kind, None)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["2020-01-02", "2021-03-04 10:00:00"], 'dates or times, such as "2020-01-02"'),
        (["1.2.2020", "31.12.99"], 'dates or times, such as "1.2.2020"'),
        (["3 Mar 2020", "12/31/1999"], 'dates or times, such as "3 Mar 2020"'),
        (["10:05", "9:30 pm"], 'dates or times, such as "10:05"'),
        (["ab", "cd", "ef"], 'text that differs in every row, such as "ab"'),
        (["ab", "ab"], 'the same text wherever there is any, "ab"'),
        (["ab", "ab", "ef"], 'text of 2 different values, such as "ab"'),
    ],
)
def test_text_is_described(texts: list[str], problem: str) -> None:
    assert describe_text(read(*texts)).problem == problem


def test_few_values_are_fewer_than_the_rows_and_at_most_64() -> None:
    assert has_few_values(read("a", "b", "a"))
    assert not has_few_values(read("a", "b", "c"))
    assert has_few_values(read(*[f"v{n % 64}" for n in range(200)]))
    assert not has_few_values(read(*[f"v{n % 65}" for n in range(200)]))


def test_a_cell_among_numbers_is_named_with_its_row() -> None:
    assert first_text(read("1", "2", "x", "4")) == (2, '"x"')
    assert first_text(read("1", "x", "y")) is None
    assert shortened("a\nb" + "c" * 50) == '"a b' + "c" * 37 + '…"'


@pytest.mark.parametrize(
    ("texts", "separator", "decimal", "numbers"),
    [
        ({"a": ["0,5", "1"], "b": ["1.234", "2.000"]}, ";", ",", {"a": [0.5, 1], "b": [1234, 2000]}),
        ({"a": ["0,5", "1"], "b": ["1,234", "2,000"]}, ";", ",", {"a": [0.5, 1], "b": [1.234, 2]}),
        ({"a": ["0.5", "1"], "b": ["1,234", "2,000"]}, ";", ".", {"a": [0.5, 1], "b": [1234, 2000]}),
        ({"a": ["1", "2"], "b": ["1,234", "2,000"]}, ",", ".", {"a": [1, 2], "b": [1234, 2000]}),
        ({"a": ["1", "2"], "b": ["1.234", "2.000"]}, ",", None, {"a": [1, 2], "b": [1.234, 2]}),
    ],
)
def test_columns_that_prove_a_decimal_sign_decide_for_the_others(
    texts: dict[str, list[str]], separator: str, decimal: str | None, numbers: dict[str, list[float]]
) -> None:
    columns = {name: read(*values) for name, values in texts.items()}
    assert settle_decimals(columns, separator) == (decimal, None)
    assert {name: column.numbers.tolist() for name, column in columns.items()} == numbers  # type: ignore[union-attr]


def test_a_column_that_nothing_decides_for_is_named() -> None:
    assert settle_decimals({"a": read("1,234", "2,000")}, ";") == (None, "a")
