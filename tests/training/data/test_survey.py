"""Tests of the pass over all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.helpers.training_data import random_images
from training.data.source import Source
from training.data.survey import row_digests, survey_rows
from training.errors import DataError


def matrix_with(value: float, dtype: Any = np.float64) -> np.ndarray:
    """Return a matrix with one odd number in row 7, column 1."""
    array = np.arange(60).reshape(20, 3).astype(dtype)
    array[7, 1] = value
    return array


def test_the_extremes_of_each_column_are_found() -> None:
    survey = survey_rows(Source("rows", np.array([[3, -1], [2, 5], [4, 0]]), kind="vector"), None)
    assert (survey.low.tolist(), survey.high.tolist()) == ([2, -1], [4, 5])


def test_equal_rows_have_equal_digests() -> None:
    digests = survey_rows(Source("rows", np.array([[1, 2], [3, 4], [1, 2]]), kind="vector"), None).digests
    assert digests[0] == digests[2] != digests[1]


def test_zero_and_minus_zero_have_equal_digests() -> None:
    digests = row_digests(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]], np.float32))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("samples", "value_range", "complaint"),
    [
        (matrix_with(np.nan), None, r"stack\.npy: row 7 \(from 0\), column 1: not a number \(NaN\)"),
        (matrix_with(-np.inf), None, r"row 7 \(from 0\), column 1: infinite"),
        (matrix_with(1e39), None, r"row 7 \(from 0\), column 1: 1e\+39 is too large for float32"),
        (matrix_with(99), (0, 60), r"row 7 .*column 1: expected values from 0 to 60, got 99"),
        (matrix_with(-1), (0, 60), "got -1"),
    ],
)
def test_bad_values_are_named_with_row_and_column(
    samples: np.ndarray, value_range: tuple[float, float] | None, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        survey_rows(Source("stack.npy", samples, kind="vector"), value_range)


def test_a_pixel_outside_the_range_is_named_with_its_row() -> None:
    source = Source("stack.npy", random_images()[:, None], kind="image")
    with pytest.raises(DataError, match=r"stack\.npy: row \d+ \(from 0\): expected values from 0 to 250, got 25"):
        survey_rows(source, (0, 250))
