"""Each detector finds a row that lies far from the others, by its own measure."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.detectors import DETECTORS, detector_scores

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(200, 3)) @ RANDOM.normal(size=(3, 6)) + 0.1 * RANDOM.normal(size=(200, 6))


@pytest.mark.parametrize("name", DETECTORS)
def test_a_far_row_is_stranger_than_training_rows(name: str) -> None:
    test = np.concatenate([ROWS[:20], ROWS[:1] + 8 * ROWS.std(axis=0) * [1, -1, 1, 1, -1, 1]])
    scores = detector_scores(ROWS, test)[name]
    assert scores.argmax() == 20


def test_distances_are_in_deviations_of_the_columns() -> None:
    rows = np.column_stack([np.arange(10.0), 100 * np.arange(10.0)])
    scores = detector_scores(rows, rows[:1] - [0, 500])
    expected = np.sqrt(np.square((rows - rows[:1] + [0, 500]) / rows.std(axis=0)).sum(axis=1))
    assert scores["knn1"] == pytest.approx(np.sort(expected)[0])
    assert scores["knn5"] == pytest.approx(np.sort(expected)[4])


def test_columns_that_share_a_unit_keep_their_proportions() -> None:
    rows = np.column_stack([np.arange(10.0), 100 * np.arange(10.0)])
    scores = detector_scores(rows, rows[:1] - [300, 0], share_unit=True)
    assert scores["knn1"] == pytest.approx(300 / rows[:, 1].std())


def test_the_mahalanobis_distance_is_that_of_the_covariance() -> None:
    asked = RANDOM.normal(size=(5, 6))
    difference = asked - ROWS.mean(axis=0)
    expected = np.einsum("ij,jk,ik->i", difference, np.linalg.inv(np.cov(ROWS.T)), difference)
    np.testing.assert_allclose(detector_scores(ROWS, asked)["mahalanobis"], expected, rtol=0.02)


def test_few_rows_and_a_constant_column_are_enough() -> None:
    rows = np.column_stack([np.arange(3.0), np.full(3, 7.0)])
    for scores in detector_scores(rows, rows).values():
        assert np.isfinite(scores).all()
