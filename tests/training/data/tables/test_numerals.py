"""Numbers are read in the notations of several countries."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pytest

from training.data.tables.numerals import all_match, decimal_sign, to_numbers, whole_if_written_so


def column(*texts: str | None) -> pa.ChunkedArray:
    """Return a column of text."""
    return pa.chunked_array([pa.array(texts, pa.string())])


@pytest.mark.parametrize(
    ("texts", "decimal", "numbers"),
    [
        (("1.5", "-.25", "+2", "1e3"), ".", [1.5, -0.25, 2, 1000]),
        (("0,5", "-,25", "+2", "1e3"), ",", [0.5, -0.25, 2, 1000]),
        (("1,234.5", "7"), ".", [1234.5, 7]),
        (("1.234,5", "7"), ",", [1234.5, 7]),
        (("1,234,567", "12"), ".", [1234567, 12]),
        (("1 234", "12 000 000"), ".", [1234, 12_000_000]),
        (("1'234.5", "7"), ".", [1234.5, 7]),
        (("1\u00a0234,5", "7"), ",", [1234.5, 7]),
        (("1", None, "3"), ".", [1, 0, 3]),
        (("inf", "-Infinity"), ".", [np.inf, -np.inf]),
    ],
)
def test_numbers_are_read_in_their_notation(
    texts: tuple[str | None, ...], decimal: Literal[".", ","], numbers: list[float]
) -> None:
    read = to_numbers(column(*texts), decimal)
    assert read is not None
    assert read.tolist() == numbers


@pytest.mark.parametrize("text", ["1,2,3", "12.5kg", "1_000", "0x10", "1,23.4", "", "--1", "1.2.3", "٣"])
def test_other_text_is_no_number(text: str) -> None:
    assert to_numbers(column("1", text), ".") is None


def test_whole_numbers_are_exact_and_others_are_float64() -> None:
    assert to_numbers(column(str(2**63 - 1), "1"), ".").tolist() == [2**63 - 1, 1]  # type: ignore[union-attr]
    assert to_numbers(column(str(2**64 - 1), "1"), ".").dtype == np.uint64  # type: ignore[union-attr]
    assert to_numbers(column("1.0", "2"), ".").dtype == np.float64  # type: ignore[union-attr]
    assert whole_if_written_so(column("1e2"), np.array([100.0])).dtype == np.float64


@pytest.mark.parametrize(
    ("texts", "sign"),
    [
        (("0,5", "1"), ","),
        (("0.5", "1"), "."),
        (("1,234", "5"), "comma?"),
        (("1.234", "5"), "point?"),
        (("0,125", "1,234"), ","),  # no thousands begin with 0
        (("1,234,567",), "."),
        (("1.234.567",), ","),
        (("1,234.5", "6"), "."),
        (("1.234,5", "6"), ","),
        (("1", "2"), None),
        (("a,b",), None),
    ],
)
def test_a_column_proves_its_decimal_sign_or_leaves_it_open(texts: tuple[str, ...], sign: str | None) -> None:
    assert decimal_sign(column(*texts)) == sign


def test_missing_values_match_every_pattern() -> None:
    assert all_match(column("1", None), r"^\d$")
    assert all_match(column(None), r"^\d$")
