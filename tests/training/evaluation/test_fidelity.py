"""Measures of generated samples agree with numbers computed by hand or by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from training.evaluation.fidelity import (
    ROWS_PER_CHUNK,
    Reference,
    compare_samples,
    frechet_distance,
    memorising_ratio,
    nearest_distances,
    radii,
)

RANDOM = np.random.default_rng(0)
LINE = np.arange(8.0)[:, None]
"""Points at 0 to 7: the third neighbour of an inner one is 2 away, the fifth 3 or more."""


def test_the_frechet_distance_of_shifted_and_scaled_gaussians_has_a_closed_form() -> None:
    normal = RANDOM.standard_normal((20_000, 2))
    assert frechet_distance(normal, normal) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(normal, normal + np.array([3, 4])) == pytest.approx(25, rel=1e-9)
    scaled = normal * [2, 1]  # (2 - 1)^2 times the variance of the first column
    assert frechet_distance(normal, scaled) == pytest.approx(
        normal[:, 0].var(ddof=1) + normal[:, 0].mean() ** 2, rel=0.01
    )


def test_the_frechet_distance_agrees_with_the_matrix_square_root_of_scipy() -> None:
    first = RANDOM.normal(size=(300, 4)) @ RANDOM.normal(size=(4, 4))
    second = RANDOM.normal(size=(200, 4)) @ RANDOM.normal(size=(4, 4)) + 1
    one, two = np.cov(first.T), np.cov(second.T)
    expected = np.square(first.mean(axis=0) - second.mean(axis=0)).sum() + np.trace(one + two - 2 * sqrtm(one @ two))
    assert frechet_distance(first, second) == pytest.approx(float(expected.real), rel=1e-6)
    assert np.isfinite(frechet_distance(first * [1, 1, 1, 0], second))  # a constant feature


def test_radii_are_distances_to_the_kth_other_row() -> None:
    third, fifth = radii(LINE, 3, 5)
    assert np.sqrt(third).tolist() == [3, 2, 2, 2, 2, 2, 2, 3]
    assert np.sqrt(fifth).tolist() == [5, 4, 3, 3, 3, 3, 4, 5]
    assert np.sqrt(radii(LINE[:2], 3)[0]).tolist() == [1, 1]  # there are not so many


def test_precision_recall_density_and_coverage_agree_with_their_definitions() -> None:
    real, generated = RANDOM.normal(size=(ROWS_PER_CHUNK + 90, 3)), RANDOM.normal(size=(ROWS_PER_CHUNK + 30, 3)) * 1.5
    across = cdist(generated, real)
    narrow, wide = (np.sort(cdist(real, real), axis=1)[:, k] for k in (3, 5))
    own = np.sort(cdist(generated, generated), axis=1)[:, 3]
    measures = compare_samples(Reference.of(real), generated)
    assert measures["precision"] == pytest.approx((across <= narrow).any(axis=1).mean())
    assert measures["recall"] == pytest.approx((across <= own[:, None]).any(axis=0).mean())
    assert measures["density"] == pytest.approx((across <= wide).sum() / (5 * len(generated)))
    assert measures["coverage"] == pytest.approx((across.min(axis=0) <= wide).mean())


@pytest.mark.parametrize(
    ("generated", "precision", "recall", "coverage"),
    [(LINE + 0.1, 1, 1, 1), (LINE + 100, 0, 0, 0), (np.zeros((8, 1)), 1, 1 / 8, 1 / 2)],
    ids=["alike", "elsewhere", "one point"],
)
def test_each_failure_shows_in_its_measure(
    generated: np.ndarray[tuple[int, ...], np.dtype[np.float64]], precision: float, recall: float, coverage: float
) -> None:
    """Copies of the point 0 are precise, recall only it, and lie in the neighbourhoods of 0, 1, 2 and 3."""
    measures = compare_samples(Reference.of(LINE), generated)
    assert (measures["precision"], measures["recall"], measures["coverage"]) == (precision, recall, coverage)


def test_copies_of_training_samples_show_in_the_memorising_ratio() -> None:
    train, test, new = (RANDOM.normal(size=(rows, 4)).astype(np.float32) for rows in (800, 300, 300))
    assert memorising_ratio(train[:100], test, train) == pytest.approx(0, abs=1e-3)
    assert memorising_ratio(new, test, train) == pytest.approx(1, abs=0.15)
    assert memorising_ratio(new * 5, test, train) > 3
    assert memorising_ratio(train[:5], train[5:9], train) == 0  # test samples that are copies, too


def test_the_nearest_distance_is_that_of_scipy() -> None:
    rows, others = RANDOM.normal(size=(ROWS_PER_CHUNK + 5, 3)), RANDOM.normal(size=(40, 3))
    np.testing.assert_allclose(nearest_distances(rows, others), cdist(rows, others).min(axis=1), rtol=1e-6)
