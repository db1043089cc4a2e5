"""Bins of p-values: edges by hand, and the bin of each rank."""

from __future__ import annotations

import numpy as np
import pytest

from app.engine.drift.bins import Bins
from app.server.counters import SPARE


def test_few_ranks_have_a_bin_each() -> None:
    bins = Bins.of(9)
    assert bins.edges == tuple(range(1, 11))
    assert bins.tail == (1, 2)
    p_values = (np.arange(1, 11) / 10).astype(np.float32)
    assert bins.indices(p_values).tolist() == list(range(10))


def test_many_ranks_share_bins_that_are_narrow_for_small_p_values() -> None:
    bins = Bins.of(1999)
    assert bins.tail == (1, 2, 4, 8, 16, 32, 64, 128, 256)
    assert bins.edges[:7] == (1, 2, 4, 8, 16, 32, 50)
    assert bins.edges[-2:] == (1950, 2000)
    ranks = np.array([1, 2, 3, 4, 5, 51, 1950, 1951, 2000])
    assert [bins.edges[index] for index in bins.indices((ranks / 2000).astype(np.float32))] == [
        *(1, 2, 4, 4, 8, 64, 1950, 2000, 2000)
    ]


@pytest.mark.parametrize("rows", [1, 2, 5, 38, 39, 40, 100, 12_345, 1_000_000])
def test_every_p_value_has_a_bin_and_the_bins_fit_into_shared_numbers(rows: int) -> None:
    bins = Bins.of(rows)
    assert len(bins.edges) <= SPARE
    assert bins.edges == tuple(sorted(set(bins.edges)))
    assert (bins.edges[0], bins.edges[-1]) == (1, rows + 1)
    assert set(bins.tail) <= set(bins.edges)
    ends = np.array([1 / (rows + 1), 1], np.float32)
    assert bins.indices(ends).tolist() == [0, len(bins.edges) - 1]


def test_counts_are_added_up_from_the_smallest_rank() -> None:
    assert Bins.of(3).cumulated([1, 0, -2, 5]).tolist() == [1, 1, 1, 6]  # a window that changes may be read halfway
