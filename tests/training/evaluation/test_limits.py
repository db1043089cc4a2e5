"""Limits on rows also bound the numbers in them."""

from __future__ import annotations

import pytest

from training.evaluation.limits import RowLimit


@pytest.mark.parametrize(("sample_size", "count"), [(1, 10), (10, 10), (11, 9), (50, 2), (100, 1), (1000, 1)])
def test_large_samples_lower_the_count_to_at_least_one(sample_size: int, count: int) -> None:
    assert RowLimit(rows=10, numbers=100).count(sample_size) == count
