"""Tests of the split by content."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.split import group_equal_rows, split_in_three, split_in_two
from training.data.survey import row_digests

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=3, max_size=60).filter(
    lambda rows: len(set(rows)) >= 3
)
SHARES = st.floats(0.01, 0.99)


@given(rows=ROWS, test=SHARES, validation=SHARES, seed=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_equal_rows_are_always_in_one_part(
    rows: list[tuple[int, int]], test: float, validation: float, seed: int
) -> None:
    table = np.array(rows, np.uint8)
    parts = split_in_three(group_equal_rows(row_digests(table)), test, validation, seed)
    contents = [{rows[index] for index in part} for part in parts]
    assert all(contents)
    assert sum(map(len, contents)) == len(set(rows))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(rows)))
    assert all((np.diff(part) > 0).all() for part in parts)


@given(rows=ROWS)
@settings(deadline=None)
def test_groups_are_numbered_by_first_appearance(rows: list[tuple[int, int]]) -> None:
    first = list(dict.fromkeys(rows))
    assert group_equal_rows(row_digests(np.array(rows, np.int16))).tolist() == [first.index(row) for row in rows]


def test_rows_of_zero_and_minus_zero_are_one_group() -> None:
    digests = row_digests(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]], np.float32))
    assert group_equal_rows(digests).tolist() == [0, 0, 1]


def test_the_validation_share_is_of_the_rows_left_by_the_test_share() -> None:
    train, validation, test = split_in_three(np.arange(1000), 0.1, 0.05, seed=0)
    assert (len(train), len(validation), len(test)) == (855, 45, 100)


def test_a_group_that_is_too_large_for_a_share_goes_to_training() -> None:
    groups = np.array([0] * 90 + list(range(1, 11)))
    for seed in range(20):
        train, validation, test = split_in_three(groups, 0.05, 0.05, seed)
        assert set(range(90)) <= set(train.tolist())
        assert (len(validation), len(test)) == (5, 5)


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_each_part_has_a_row_even_if_the_shares_are_large(share: float) -> None:
    assert [len(part) for part in split_in_three(np.arange(3), share, share, seed=0)] == [1, 1, 1]


def test_a_small_group_is_left_for_validation() -> None:
    train, validation, test = split_in_three(np.array([0] * 18 + [1, 2]), 0.1, 0.05, seed=0)
    assert train.tolist() == list(range(18))
    assert sorted([*validation.tolist(), *test.tolist()]) == [18, 19]


def test_the_smallest_group_is_held_out_if_none_fits() -> None:
    train, validation = split_in_two(np.array([0, 0, 0, 1, 1, 0]), 0.1, seed=0)
    assert (train.tolist(), validation.tolist()) == ([0, 1, 2, 5], [3, 4])


def test_held_out_rows_are_the_first_of_the_permutation_without_duplicates() -> None:
    order = np.random.default_rng(5).permutation(100)
    train, validation = split_in_two(np.arange(100), 0.2, seed=5)
    assert validation.tolist() == sorted(order[:20].tolist())
    assert train.tolist() == sorted(order[20:].tolist())
