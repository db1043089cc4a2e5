"""The band of a false-positive rate holds as many rates as it says."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.false_alarms import ALPHAS, false_alarm_band, false_alarm_values


@pytest.mark.parametrize("calibration_rows", [40, 500])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_band_holds_99_percent_of_the_rates_of_exchangeable_rows(alpha: float, calibration_rows: int) -> None:
    random, rates = np.random.default_rng(0), []
    for _ in range(2_000):
        scores = random.normal(size=calibration_rows + 200)
        calibration = np.sort(scores[:calibration_rows])
        larger = calibration_rows - np.searchsorted(calibration, scores[calibration_rows:])
        rates.append(((larger + 1) / (calibration_rows + 1) <= alpha + 1e-9).mean())
    low, high = false_alarm_band(alpha, calibration_rows, 200)
    assert np.mean([low <= rate <= high for rate in rates]) >= 0.985


def test_an_alpha_below_the_smallest_p_value_gives_no_alarms() -> None:
    assert false_alarm_band(0.01, 98, 500) == (0.0, 0.0)
    assert false_alarm_band(0.01, 99, 500)[1] > 0


def test_rates_are_shares_of_the_p_values_that_are_no_larger_than_alpha() -> None:
    p_values = np.array([0.01, 0.05, 0.051, 0.1, 0.11, 1, 1, 1, 1, 1], np.float32)
    values = false_alarm_values(p_values, 99)
    assert [values[f"false_positive_rate_{alpha}"] for alpha in (0.1, 0.05, 0.01)] == [0.4, 0.2, 0.1]
    assert len(values) == 9
