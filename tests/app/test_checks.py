"""What rows must be: the quick look and the careful one say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.engine.checks import RowCheck
from app.errors import NotFinite, OutOfRange
from app.manifest import ValueRange

UNIT, SIGNED, HIGH, TENTH = (0.0, 1.0), (-1.0, 1.0), (0.5, 1.0), (0.0, 0.1)


def checked(number: float, bounds: tuple[float, float] | None, dtype: Any = np.float32) -> float:
    """A number that stands among others, after its check."""
    middle = 0.0 if bounds is None else (bounds[0] + bounds[1]) / 2
    value_range = None if bounds is None else ValueRange(low=bounds[0], high=bounds[1])
    rows = np.array([[middle, number, middle]], dtype)
    found: float = RowCheck("samples", [(3,)], value_range)(rows)[0, 1].item()
    return found


@pytest.mark.parametrize(
    ("number", "bounds"),
    [
        (0.0, UNIT),
        (-0.0, UNIT),
        (1.0, UNIT),
        (1e-45, UNIT),
        (-1.0, SIGNED),
        (1.0, SIGNED),
        (0.5, HIGH),
        (0.1, TENTH),  # as float32 it is 0.100000001, and so is the end of the range
        (-1e38, None),
    ],
)
def test_what_lies_in_the_range_passes_as_it_is(number: float, bounds: tuple[float, float] | None) -> None:
    assert checked(number, bounds) == np.float32(number)


@pytest.mark.parametrize(
    ("number", "bounds"),
    [
        (1.0000001, UNIT),
        (-1e-45, UNIT),
        (-1.0, UNIT),
        (-1.0000001, SIGNED),
        (0.25, HIGH),  # its bits lie between those of 0 and of 1
        (0.10000001, TENTH),
        (3e38, UNIT),
    ],
)
def test_what_lies_beside_the_range_is_refused(number: float, bounds: tuple[float, float]) -> None:
    with pytest.raises(OutOfRange, match="expected numbers from"):
        checked(number, bounds)


@pytest.mark.parametrize("number", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("bounds", [UNIT, SIGNED, None])
def test_what_is_no_number_is_named_where_it_stands(number: float, bounds: tuple[float, float] | None) -> None:
    with pytest.raises(NotFinite, match=r"at \[0, 1\]"):
        checked(number, bounds)


def test_numbers_of_another_type_are_looked_at_too() -> None:
    assert checked(0.5, UNIT, np.float64) == 0.5
    with pytest.raises(OutOfRange):
        checked(1.5, UNIT, np.float64)
