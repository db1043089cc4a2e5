"""Levels become numbers, unless they may be numbers already."""

from __future__ import annotations

import numpy as np
import pytest

from app.errors import InvalidInput
from app.formats.levels import numbers_from_levels


def test_each_level_is_a_unit() -> None:
    numbers = numbers_from_levels(np.array([0, 2, 51, 255], np.uint8), 1 / 255, "samples")
    assert numbers.dtype == np.float32
    assert numbers == pytest.approx([0, 2 / 255, 0.2, 1])
    assert numbers_from_levels(np.zeros((0, 4), np.uint8), 1 / 255, "samples").shape == (0, 4)


def test_levels_that_may_be_numbers_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^samples: 8-bit numbers are levels, of which 255 is white, but none"):
        numbers_from_levels(np.array([0, 1], np.uint8), 1 / 255, "samples")
