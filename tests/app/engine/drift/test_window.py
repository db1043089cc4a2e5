"""Windows: the counts are those of the last rows."""

from __future__ import annotations

import numpy as np
import pytest

from app.engine.drift.bins import Bins
from app.engine.drift.window import Window
from tests.helpers.arrays import array

BINS = Bins.of(9)


def test_old_rows_leave_a_full_window() -> None:
    counts = np.full(10, 7.0)
    window = Window(BINS, 3, counts)
    assert counts.tolist() == [0] * 10
    window.record(array([0.1, 0.2]))
    assert counts.tolist() == [1, 1, *[0] * 8]
    window.record(array([0.2]))
    window.record(array([1.0]))
    assert counts.tolist() == [0, 2, *[0] * 7, 1]


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_the_counts_are_those_of_the_last_rows_however_they_came(rows: int) -> None:
    random, counts = np.random.default_rng(rows), np.zeros(10)
    window, seen = Window(BINS, rows, counts), np.empty(0, np.float32)
    for size in [1, 2, 5, 1, 250, 3, 100, 99, 8]:
        p_values = (random.integers(1, 11, size) / 10).astype(np.float32)
        window.record(p_values)
        seen = np.concatenate([seen, p_values])
        expected = np.bincount(np.rint(seen[-rows:] * 10).astype(int) - 1, minlength=10)
        assert counts.tolist() == expected.tolist()
