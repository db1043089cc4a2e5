"""Noise: seeded, within the value range, and as much as was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from app.engine.corruption import Noise, corrupt
from app.inputs import ValueRange

UNIT = ValueRange(low=0, high=1)
GREY = np.full((20_000, 4), 0.5, np.float32)


@pytest.mark.parametrize("noise", ["gaussian", "masking", "salt-and-pepper"])
def test_noise_stays_in_range_and_is_prefix_stable(noise: Noise) -> None:
    samples = GREY[:50]
    noisy = corrupt(samples, noise, 0.4, UNIT, seed=3)
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert not np.array_equal(noisy, samples)
    np.testing.assert_array_equal(corrupt(samples[:7], noise, 0.4, UNIT, seed=3), noisy[:7])
    assert not np.array_equal(corrupt(samples, noise, 0.4, UNIT, seed=4), noisy)


def test_the_share_of_masked_and_salted_numbers_is_the_amount() -> None:
    masked = corrupt(GREY, "masking", 0.3, UNIT, seed=0)
    assert (masked == 0).mean() == pytest.approx(0.3, abs=0.01)
    salted = corrupt(GREY, "salt-and-pepper", 0.3, UNIT, seed=0)
    assert (salted == 0).mean() == pytest.approx(0.15, abs=0.01)
    assert (salted == 1).mean() == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize(("low", "high", "deviation"), [(0, 1, 0.1), (-1, 2, 0.3)])
def test_gaussian_noise_has_the_requested_deviation_in_units_of_the_range(
    low: float, high: float, deviation: float
) -> None:
    noisy = corrupt(GREY, "gaussian", 0.1, ValueRange(low=low, high=high), seed=0)
    assert float(noisy.std()) == pytest.approx(deviation, rel=0.02)
