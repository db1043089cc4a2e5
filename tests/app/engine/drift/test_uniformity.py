"""Tests of windows: statistics and probabilities by hand and by scipy, false alarms and power by simulation."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats

from app.engine.drift.bins import Bins
from app.engine.drift.uniformity import (
    DEFAULT_ALPHA,
    MIN_ROWS,
    Drift,
    Excess,
    Shift,
    Uniformity,
    kolmogorov_survival,
    measure_drift,
    measure_excess,
    measure_shift,
    measure_uniformity,
    tail_probability,
)

Doubles = npt.NDArray[np.float64]


def window_counts(calibration: Doubles, scores: Doubles) -> list[float]:
    """Return the counts of the p-values of scores."""
    ordered, n = np.sort(calibration), len(calibration)
    p_values = (n - np.searchsorted(ordered, scores) + 1) / (n + 1)
    bins = Bins.of(n)
    counts: list[float] = np.bincount(bins.indices(p_values.astype(np.float32)), minlength=len(bins.edges)).tolist()
    return counts


def test_the_statistic_is_that_of_two_samples() -> None:
    random = np.random.default_rng(0)
    for shift in (0.0, 0.5, 2.0):
        calibration, scores = random.normal(size=30), random.normal(size=200) + shift
        measured = measure_uniformity(window_counts(calibration, scores), Bins.of(30))
        expected = scipy.stats.ks_2samp(calibration, scores, method="asymp")
        assert measured.statistic == pytest.approx(expected.statistic)  # every rank has a bin of its own
        assert measured.p_value == pytest.approx(scipy.special.kolmogorov(expected.statistic * math.sqrt(6000 / 230)))


def test_a_shift_is_that_of_the_rank_sum() -> None:
    random = np.random.default_rng(2)
    for shift in (0.0, 0.5, -1.0):
        calibration, scores = random.normal(size=30), random.normal(size=200) + shift
        measured = measure_shift(window_counts(calibration, scores), Bins.of(30))
        expected = scipy.stats.mannwhitneyu(scores, calibration, method="asymptotic", use_continuity=False)
        assert measured.probability == pytest.approx(expected.statistic / 6000)
        assert measured.p_value == pytest.approx(expected.pvalue)


def test_bins_hardly_change_the_shift() -> None:
    random = np.random.default_rng(3)
    calibration, scores = random.normal(size=999), random.normal(size=1000) + 0.1
    measured = measure_shift(window_counts(calibration, scores), Bins.of(999))
    expected = scipy.stats.mannwhitneyu(scores, calibration).statistic / 999_000
    assert measured.probability == pytest.approx(expected, abs=1e-3)


def test_bins_make_the_statistic_no_larger() -> None:
    random = np.random.default_rng(1)
    calibration, scores = random.normal(size=999), random.normal(size=1000) + 0.2
    exact = scipy.stats.ks_2samp(calibration, scores).statistic
    assert 0.8 * exact < measure_uniformity(window_counts(calibration, scores), Bins.of(999)).statistic <= exact


@pytest.mark.parametrize("distance", [0.0, 0.19, 0.21, 0.5, 1.0, 1.36, 3.0])
def test_the_distribution_is_kolmogorovs(distance: float) -> None:
    assert kolmogorov_survival(distance) == pytest.approx(scipy.special.kolmogorov(distance), abs=1e-8)


@pytest.mark.parametrize(("count", "rank", "m", "n"), [(0, 1, 5, 3), (1, 1, 1, 1), (3, 2, 10, 7), (40, 8, 500, 99)])
def test_the_probability_of_small_p_values_is_that_of_all_orders(count: int, rank: int, m: int, n: int) -> None:
    """Compare with scipy: successes are the window's rows, and the draws stop at the calibration row of the rank."""
    expected = scipy.stats.nhypergeom(m + n, m, rank).sf(count - 1)
    assert tail_probability(count, rank, m, n) == pytest.approx(expected, rel=1e-6)


def test_a_window_above_every_calibration_row_is_as_unlikely_as_its_order() -> None:
    """Put 3 rows above 4: of the 35 orders, one has all three first."""
    assert tail_probability(3, 1, 3, 4) == pytest.approx(1 / math.comb(7, 3))


def test_the_excess_names_its_level_and_share() -> None:
    counts = np.zeros(len(Bins.of(999).edges))
    counts[0], counts[-1] = 50, 950
    excess = measure_excess(counts.tolist(), Bins.of(999))
    assert (excess.level, excess.share) == (0.001, 0.05)
    assert excess.p_value == pytest.approx(8 * tail_probability(50, 1, 1000, 999))


def test_a_window_of_few_rows_is_not_judged() -> None:
    bins = Bins.of(9)
    assert measure_drift([MIN_ROWS - 1, *[0.0] * 9], bins) is None
    assert measure_drift([], bins) is None
    assert measure_drift([MIN_ROWS, *[0.0] * 9], bins) is not None


@pytest.mark.parametrize("p_values", [(0.01, 0.5, 0.6), (0.5, 0.01, 0.6), (0.6, 0.5, 0.01)])
def test_the_smallest_p_value_of_three_counts_thrice(p_values: tuple[float, float, float]) -> None:
    uniformity, shift, excess = p_values
    drift = Drift(Uniformity(0, uniformity), Shift(0.5, shift), Excess(0.01, 0.01, excess))
    assert drift.p_value == pytest.approx(0.03)
    assert drift._replace(uniformity=Uniformity(0, 1), shift=Shift(0.5, 1), excess=Excess(0, 0, 1)).p_value == 1


def share_of_alarms(calibrations: int, windows: int, foreign: int = 0, shift: float = 0.0, n: int = 999) -> list[float]:
    """Return, for each calibration, the share of its windows of 1000 rows that are called drift."""
    random, shares = np.random.default_rng(7), []
    for _ in range(calibrations):
        calibration, alarms = random.normal(size=n), 0
        for _ in range(windows):
            scores = random.normal(size=1000) + shift
            scores[:foreign] += 4
            drift = measure_drift(window_counts(calibration, scores), Bins.of(n))
            assert drift is not None
            alarms += drift.p_value < DEFAULT_ALPHA
        shares.append(alarms / windows)
    return shares


def test_clean_windows_raise_few_alarms_although_they_share_the_error_of_a_calibration() -> None:
    """Look at 200 clean windows of each of 15 calibrations: on average at most alpha, and of few more than 5 %."""
    shares = share_of_alarms(15, 200)
    assert np.mean(shares) <= DEFAULT_ALPHA
    assert sum(share > 0.05 for share in shares) <= 1


def test_a_few_foreign_rows_and_a_shift_of_all_are_found() -> None:
    assert np.mean(share_of_alarms(10, 10, foreign=50)) >= 0.9
    assert np.mean(share_of_alarms(10, 10, shift=0.25)) >= 0.9
    assert np.mean(share_of_alarms(10, 10, shift=-0.25)) >= 0.9
