"""Tables are aligned: names at the left, numbers at the right."""

from __future__ import annotations

from training.comparing.text_table import number, text_table


def test_columns_are_aligned() -> None:
    assert text_table(["model", "MSE"], [["a", "0.5"], ["longer", "12"]]).splitlines() == [
        "model   MSE",
        "a       0.5",
        "longer   12",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert text_table(["a", "b"], []) == "a  b"


def test_numbers_have_significant_digits_or_a_dash() -> None:
    assert [number(0.0123456), number(1234.5, 3), number(None)] == ["0.01235", "1.23e+03", "-"]
