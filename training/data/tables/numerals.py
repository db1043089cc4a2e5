"""
Text as numbers, with the decimal signs of several countries.

A column decides for itself where it can: "0,5" has a decimal comma, "1.234.567" separates thousands. Where all numbers
of a column could be either, such as "1,234", the other columns of the file decide, or the configuration.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Decimal = Literal[".", ","]
Numbers = npt.NDArray[np.int64 | np.uint64 | np.float64]

EXPONENT = r"([eE][+-]?\d+)?"
SPECIAL = r"[+-]?(?i:inf|infinity)"
POINT = rf"^([+-]?(\d+\.?\d*|\.\d+){EXPONENT}|{SPECIAL})$"
COMMA = rf"^([+-]?(\d+,?\d*|,\d+){EXPONENT}|{SPECIAL})$"
COMMA_THOUSANDS = r"^[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d*)?$"
POINT_THOUSANDS = r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d*)?$"
SPACES = " \u00a0\u202f'"
"""Characters that some countries write between thousands: spaces of three widths, and the apostrophe."""
SPACE_THOUSANDS = rf"^[+-]?\d{{1,3}}([{SPACES}]\d{{3}})*([.,]\d*)?$"
EITHER_COMMA = r"^[+-]?([1-9]\d{0,2}(,\d{3})?|0)$"
"""Text that is a number both with a decimal comma and with commas between thousands, or has no comma."""
EITHER_POINT = r"^[+-]?([1-9]\d{0,2}(\.\d{3})?|0)$"


def all_match(text: Any, pattern: str) -> bool:
    """Return whether all of a column's values that are there match a pattern."""
    return bool(pc.all(pc.match_substring_regex(text, pattern), min_count=0).as_py())


def decimal_sign(text: Any) -> Decimal | Literal["comma?", "point?"] | None:
    """
    Return the decimal sign that a column of text proves, None without one.

    `comma?` and `point?` stand for columns whose only signs could be decimal signs or separate thousands.
    """
    has_comma = bool(pc.any(pc.match_substring(text, ","), min_count=0).as_py())
    has_point = bool(pc.any(pc.match_substring(text, "."), min_count=0).as_py())
    if has_comma and has_point:
        if all_match(text, COMMA_THOUSANDS):
            return "."
        return "," if all_match(text, POINT_THOUSANDS) else None
    if has_comma:
        if all_match(text, EITHER_COMMA):
            return "comma?"
        if all_match(text, COMMA):
            return ","
        return "." if all_match(text, COMMA_THOUSANDS) else None
    if has_point:
        if all_match(text, EITHER_POINT):
            return "point?"
        if all_match(text, POINT):
            return "."
        return "," if all_match(text, POINT_THOUSANDS) else None
    return None


def to_numbers(text: Any, decimal: Decimal) -> Numbers | None:
    """
    Return a column of text as numbers, 0 where a value is missing; None if any value is not a number.

    Whole numbers are int64 or uint64 if they fit.
    """
    if not all_match(text, POINT if decimal == "." else COMMA):
        thousands = COMMA_THOUSANDS if decimal == "." else POINT_THOUSANDS
        if all_match(text, thousands):
            text = pc.replace_substring(text, "," if decimal == "." else ".", "")
        elif all_match(text, SPACE_THOUSANDS):
            text = pc.replace_substring_regex(text, f"[{SPACES}]", "")
        else:
            return None
    if decimal == ",":
        text = pc.replace_substring(text, ",", ".")
    filled = pc.fill_null(pc.replace_substring_regex(text, r"^\+", ""), "0")
    try:
        return whole_if_written_so(filled, pc.cast(filled, pa.float64()).to_numpy())
    except pa.ArrowInvalid:
        return None


def whole_if_written_so(text: Any, numbers: npt.NDArray[np.float64]) -> Numbers:
    """Return numbers as int64 or uint64 if their text has no decimal sign and no exponent, and if they fit."""
    with np.errstate(invalid="ignore"):
        is_whole = bool((np.floor(numbers) == numbers).all())
    if not is_whole or pc.any(pc.match_substring_regex(text, r"[.eEnN]"), min_count=0).as_py():
        return numbers
    for kind in (pa.int64(), pa.uint64()):  # a cast that fails takes fifty times longer
        try:
            whole: Numbers = pc.cast(text, kind).to_numpy()
        except pa.ArrowInvalid:
            continue
        return whole
    return numbers
