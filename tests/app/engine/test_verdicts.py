"""Verdicts: levels and the Benjamini-Hochberg procedure, compared with hand-made and published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from app.engine.verdicts import below_level, discoveries, exact_p_values
from tests.helpers.arrays import array


def test_a_p_value_that_equals_the_level_is_below_it() -> None:
    for rows in (9, 99, 999, 6_999):
        steps = np.arange(1, rows + 2)
        p_values = exact_p_values((steps / (rows + 1)).astype(np.float32), rows)
        for step in steps[:: max(1, rows // 50)]:
            assert below_level(p_values, float(step / (rows + 1))).sum() == step
    assert below_level(exact_p_values(array([0.1, 0.2, 0.3]), 9), 0.1).tolist() == [True, False, False]


def test_the_procedure_finds_what_its_authors_found() -> None:
    """Repeat the example of the paper: 15 p-values of a trial, of which 4 are discoveries at the rate 0.05."""
    published = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    p_values = np.array([*published, 0.7590, 1.0])
    shuffled = np.random.default_rng(0).permutation(15)
    verdicts = discoveries(p_values[shuffled], 0.05)
    assert sorted(p_values[shuffled][verdicts]) == published[:4]


@pytest.mark.parametrize(
    ("p_values", "fdr", "expected"),
    [
        ([0.1], 0.1, [True]),
        ([0.1, 1.0], 0.1, [False, False]),  # 0.1 is above 0.1 * 1 / 2
        ([0.1, 1.0], 0.2, [True, False]),
        ([0.3, 0.25, 0.3], 0.3, [True, True, True]),  # the smallest fails, and all three pass together
        ([0.1, 1.0, 1.0], 0.3, [True, False, False]),  # 0.3 / 3 is rounded below 0.1
        ([1.0, 1.0], 0.5, [False, False]),
    ],
)
def test_p_values_are_compared_with_the_rate_by_their_rank(
    p_values: list[float], fdr: float, expected: list[bool]
) -> None:
    assert discoveries(np.array(p_values), fdr).tolist() == expected


def test_the_share_of_false_discoveries_is_bounded() -> None:
    """Mix 80 samples like 200 calibration rows with 20 far ones, 400 times: the mean false share is at most 0.2."""
    random, shares = np.random.default_rng(1), []
    for _ in range(400):
        calibration, scores = random.normal(size=200), random.normal(size=100)
        scores[:20] += 4
        p_values = (1 + (calibration >= scores[:, None]).sum(axis=1)) / 201
        found = discoveries(p_values, 0.2)
        shares.append(found[20:].sum() / max(1, found.sum()))
    assert 0.08 < np.mean(shares) <= 0.2
