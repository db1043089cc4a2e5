"""Windows: the counts are those of the last rows."""

from __future__ import annotations

import numpy as np
import pytest

from app.engine.drift.window import Window


def test_old_rows_leave_a_full_window() -> None:
    counts = np.full(10, 7.0)
    window = Window(3, counts)
    assert counts.tolist() == [0] * 10
    window.record(np.array([0, 1]))
    assert counts.tolist() == [1, 1, *[0] * 8]
    window.record(np.array([1]))
    window.record(np.array([9]))
    assert counts.tolist() == [0, 2, *[0] * 7, 1]


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_the_counts_are_those_of_the_last_rows_however_they_came(rows: int) -> None:
    random, counts = np.random.default_rng(rows), np.zeros(10)
    window, seen = Window(rows, counts), np.empty(0, np.int64)
    for size in [1, 2, 5, 1, 250, 3, 100, 99, 8]:
        bins = random.integers(0, 10, size)
        window.record(bins)
        seen = np.concatenate([seen, bins])
        assert counts.tolist() == np.bincount(seen[-rows:], minlength=10).tolist()


def test_a_row_may_have_several_bins() -> None:
    counts = np.zeros(4)
    window = Window(2, counts, bins_per_row=2)
    window.record(np.array([[0, 2], [1, 3]]))
    assert counts.tolist() == [1, 1, 1, 1]
    window.record(np.array([[1, 3]]))
    assert counts.tolist() == [0, 2, 0, 2]
