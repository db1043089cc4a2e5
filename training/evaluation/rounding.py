"""The digits of a measurement that its number of rows supports, for the card and for tables."""

from __future__ import annotations

import math

MIN_DIGITS, MAX_DIGITS = 2, 5
"""Significant digits that are shown of any measurement."""
EXACT = ("noise_amount", "importance_samples", "active_units", "latent_dimensions", "ruinous_column")
"""Measures that are counts or settings, and have no uncertainty."""


def significant_digits(rows: int) -> int:
    """
    Return the significant digits of a mean over rows: 2 up to 100 rows, 3 up to 10 000, 4 up to a million.

    The last one is the first that the standard error changes, for rows that differ by about their mean.
    """
    return max(MIN_DIGITS, min(MAX_DIGITS, 1 + math.ceil(math.log10(max(rows, 1)) / 2)))


def shown(name: str, value: float, rows: int) -> str:
    """Return a measured value as text."""
    if name in EXACT:
        return f"{value:g}"
    digits = significant_digits(rows)
    if abs(value) >= 10**digits:  # 1234 is not shown as 1.2e+03
        return f"{round(value, digits - 1 - math.floor(math.log10(abs(value)))):.0f}"
    return f"{value:.{digits}g}"


def describe_uncertainty(values: dict[str, float], rows: int) -> str:
    """Return a sentence about the digits, and about the standard error of the MSE if it is known."""
    sentence = f"Numbers are rounded to the digits that {rows} test rows support"
    error = values.get("mse_standard_error")
    if error is None:
        return f"{sentence}."
    return f"{sentence}: the MSE is {values['mse']:.2g} ± {error:.1g} (its standard error over the rows)."
