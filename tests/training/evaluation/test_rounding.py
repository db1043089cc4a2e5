"""Measurements have the digits that their rows support."""

from __future__ import annotations

import pytest

from training.evaluation.rounding import describe_uncertainty, shown, significant_digits


@pytest.mark.parametrize(
    ("rows", "digits"), [(0, 2), (1, 2), (6, 2), (100, 2), (101, 3), (10_000, 3), (10_001, 4), (10**9, 5)]
)
def test_more_rows_support_more_digits(rows: int, digits: int) -> None:
    assert significant_digits(rows) == digits


@pytest.mark.parametrize(
    ("value", "rows", "text"),
    [
        (0.123456789, 6, "0.12"),
        (0.123456789, 400, "0.123"),
        (23.456, 6, "23"),
        (1234.5, 6, "1200"),
        (-1234.5, 6, "-1200"),
        (0.0, 6, "0"),
        (0.000123456, 6, "0.00012"),
    ],
)
def test_a_value_has_its_significant_digits(value: float, rows: int, text: str) -> None:
    assert shown("mse", value, rows) == text


def test_counts_and_settings_are_not_rounded() -> None:
    assert [shown(name, 1001, 6) for name in ("importance_samples", "active_units")] == ["1001", "1001"]


def test_the_uncertainty_is_one_sentence() -> None:
    with_error = describe_uncertainty({"mse": 0.0123, "mse_standard_error": 0.00456}, 6)
    assert "6 test rows support: the MSE is 0.012 ± 0.005 " in with_error
    assert describe_uncertainty({"mse": 0.0123}, 1) == "Numbers are rounded to the digits that 1 test rows support."
