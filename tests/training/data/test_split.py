"""Which rows go where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config import DataConfig
from training.data.dataset import DataSet
from training.data.load import load_data
from training.data.split import group_equal_rows, split_in_three, split_in_two
from training.data.survey import row_digests

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=3, max_size=60).filter(
    lambda rows: len(set(rows)) >= 3
)
SHARES = st.floats(0.01, 0.99)


@given(rows=ROWS, test=SHARES, validation=SHARES, seed=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_a_duplicate_never_stands_on_both_sides(
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
def test_groups_are_rows_of_one_content_numbered_by_first_appearance(rows: list[tuple[int, int]]) -> None:
    first = list(dict.fromkeys(rows))
    assert group_equal_rows(row_digests(np.array(rows, np.int16))).tolist() == [first.index(row) for row in rows]


def test_zero_and_minus_zero_are_one_content() -> None:
    digests = row_digests(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]], np.float32))
    assert group_equal_rows(digests).tolist() == [0, 0, 1]


def test_shares_are_of_all_rows_and_of_what_is_left() -> None:
    train, validation, test = split_in_three(np.arange(1000), 0.1, 0.05, seed=0)
    assert (len(train), len(validation), len(test)) == (855, 45, 100)


def test_a_group_that_is_too_large_for_a_share_goes_to_training() -> None:
    groups = np.array([0] * 90 + list(range(1, 11)))
    for seed in range(20):
        train, validation, test = split_in_three(groups, 0.05, 0.05, seed)
        assert set(range(90)) <= set(train.tolist())
        assert (len(validation), len(test)) == (5, 5)


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_each_part_has_a_row_however_large_the_shares(share: float) -> None:
    assert [len(part) for part in split_in_three(np.arange(3), share, share, seed=0)] == [1, 1, 1]


def test_small_groups_are_left_for_validation() -> None:
    train, validation, test = split_in_three(np.array([0] * 18 + [1, 2]), 0.1, 0.05, seed=0)
    assert train.tolist() == list(range(18))
    assert sorted([*validation.tolist(), *test.tolist()]) == [18, 19]


def test_where_no_group_fits_the_smallest_is_held_out() -> None:
    train, validation = split_in_two(np.array([0, 0, 0, 1, 1, 0]), 0.1, seed=0)
    assert (train.tolist(), validation.tolist()) == ([0, 1, 2, 5], [3, 4])


def test_without_duplicates_the_held_out_rows_are_the_first_of_the_permutation() -> None:
    order = np.random.default_rng(5).permutation(100)
    train, validation = split_in_two(np.arange(100), 0.2, seed=5)
    assert validation.tolist() == sorted(order[:20].tolist())
    assert train.tolist() == sorted(order[20:].tolist())


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A hundred rows, each twice, in a file."""
    numbers = np.random.default_rng(0).normal(size=(100, 3))
    np.save(tmp_path / "table.npy", np.concatenate([numbers, numbers]))
    return tmp_path / "table.npy"


def test_the_parts_of_a_file_have_no_row_in_common_and_depend_on_the_seed(table: Path) -> None:
    def parts(data: DataSet) -> list[set[bytes]]:
        return [{row.tobytes() for row in part.samples} for part in (data.train, data.validation, data.test)]

    first, again, other = (load_data(DataConfig(path=str(table)), None, seed) for seed in (0, 0, 1))
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    assert (len(first.train), len(first.validation), len(first.test)) == (172, 8, 20)  # 9 of 180 cannot be pairs
    assert sum(map(len, parts(first))) == len(set.union(*parts(first))) == 100
    assert parts(first)[2] != parts(other)[2]
    assert first.findings.duplicates == 100


def test_the_digits_are_what_they_were() -> None:
    digits = load_data(DataConfig(name="digits"), None, seed=0)
    parts = [{sample.tobytes() for sample in split.samples} for split in (digits.train, digits.validation, digits.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 1797
    assert digits.input.value_range is not None
    assert digits.input.value_range.high == digits.train.samples.max() == 16
    assert digits.classes == tuple("0123456789")
    assert digits.fingerprint() == "60658d212e9f685e7f8c47b622c81681456c71b69410cfccce125a8f8981f442"
