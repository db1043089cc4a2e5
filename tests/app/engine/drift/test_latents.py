"""Each latent of a window is compared with the calibration rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from app.engine.drift.latents import BINS, MAX_LATENTS, LatentBins
from app.engine.drift.ranks import LatentRanks
from app.server.counters import SPARE

CALIBRATION = np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32)
PLACES = np.arange(1, BINS) * 125
RANKS = tuple(
    LatentRanks(edges=tuple(map(float, np.sort(column)[PLACES - 1])), ranks=tuple(map(int, PLACES)))
    for column in CALIBRATION.T
)


def counts(latents: np.ndarray, bins: LatentBins) -> list[float]:
    """Return the counts of a window of these rows."""
    return list(np.bincount(bins.indices(latents).ravel(), minlength=len(bins)).astype(float))


def draw(shift: float = 0.0, seed: int = 1) -> np.ndarray:
    """Return 1000 rows, of which the second latent is shifted."""
    rows = np.random.default_rng(seed).normal(size=(1000, 3)).astype(np.float32)
    rows[:, 1] += np.float32(shift)
    return rows


def test_statistics_are_those_of_scipy_up_to_the_bins() -> None:
    bins, rows = LatentBins(RANKS, 2000), draw(0.3)
    drift = bins.measure(counts(rows, bins))
    assert drift is not None
    for test, column, calibration in zip(drift.tests, rows.T, CALIBRATION.T, strict=True):
        expected = stats.ks_2samp(column, calibration, method="asymp")
        assert expected.statistic - 1 / BINS <= test.statistic <= expected.statistic + 1e-9
        assert test.p_value >= expected.pvalue * 0.99
    assert [test.latent for test in drift.tests] == [0, 1, 2]


def test_a_shifted_latent_is_found_and_named() -> None:
    bins = LatentBins(RANKS, 2000)
    drift = bins.measure(counts(draw(0.3), bins))
    assert drift is not None
    assert drift.p_value < 1e-6
    assert min(drift.tests, key=lambda test: test.p_value).latent == 1
    assert drift.p_value == pytest.approx(3 * drift.tests[1].p_value)


def test_few_clean_windows_are_found() -> None:
    bins, found = LatentBins(RANKS, 2000), 0
    for seed in range(200):
        drift = bins.measure(counts(draw(seed=seed), bins))
        assert drift is not None
        found += drift.p_value < 0.05
    assert found <= 20  # 10 are expected at most; 20 or more have a probability of 0.003


def test_equal_numbers_fall_into_the_bin_of_their_edge() -> None:
    ranks = (LatentRanks(edges=(0.0, 1.0), ranks=(5, 7)),)
    bins = LatentBins(ranks, 10)
    indices = bins.indices(np.array([[-1], [0], [0.5], [1], [2], [np.nan]], np.float32))
    assert indices.ravel().tolist() == [0, 0, 1, 1, 2, 0]


def test_a_window_of_few_rows_has_no_result() -> None:
    bins = LatentBins(RANKS, 2000)
    assert bins.measure(counts(draw()[:99], bins)) is None
    assert bins.measure([]) is None
    assert LatentBins((), 2000).measure([]) is None


def test_only_the_first_latents_are_watched() -> None:
    ranks = (LatentRanks(edges=(0.0,), ranks=(5,)),) * (MAX_LATENTS + 3)
    bins = LatentBins(ranks, 10)
    assert len(bins) == MAX_LATENTS * BINS <= SPARE
    assert bins.indices(np.zeros((2, MAX_LATENTS + 3), np.float32)).shape == (2, MAX_LATENTS)
