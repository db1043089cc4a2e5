"""The medians of the training part stand in for missing values in all parts."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.dataset import Split
from training.data.missing import fill_missing, medians, one_hot_groups
from training.data.source import Source

NAN = 777.0
"""A number that stands in for a missing one, and must not be seen afterwards."""


def test_the_training_parts_medians_fill_every_part() -> None:
    samples = np.array([[1, 10], [2, NAN], [9, 30], [NAN, 50], [NAN, NAN], [100, 100]], np.float32)
    source = Source("t.csv", samples, feature_names=("a", "b"), missing=samples == NAN)
    rows = [np.array([0, 1, 2, 3]), np.array([4]), np.array([5])]
    parts = [Split(samples[chosen], None, 1.0) for chosen in rows]
    assert fill_missing([source] * 3, parts, rows) == (2.0, 30.0)
    assert parts[0].samples.tolist() == [[1, 10], [2, 30], [9, 30], [2, 50]]
    assert parts[1].samples.tolist() == [[2, 30]]
    assert parts[2].samples.tolist() == [[100, 100]]


def test_the_most_frequent_text_fills_a_one_hot_column() -> None:
    samples = np.array([[5, 1, 0], [6, 0, 1], [7, 0, 1], [8, 1, 0]], np.float32)
    missing = np.array([[False] * 3] * 3 + [[False, True, True]])
    groups = one_hot_groups(("a", "c=x", "c=y"), {"c": ("x", "y")})
    assert groups == [[1, 2]]
    assert medians(samples, missing, groups).tolist() == [6.5, 0, 1]
    assert medians(samples, None, groups).tolist() == [6.5, 1, 0]


def test_a_column_without_numbers_in_the_training_part_keeps_what_stands_in() -> None:
    samples = np.array([[4.0, 1], [4.0, 2]])
    assert medians(samples, np.array([[True, False], [True, False]]), []) == pytest.approx([4, 1.5])
