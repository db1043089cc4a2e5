"""
The latents of a window of scored rows, beside those of the calibration rows: a test for each latent.

Inputs can change without becoming strange: more of one class and less of another, or other writers. The p-values of
the scores may not show it, and the latents do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.arrays import Latents
from app.engine.drift.ranks import MAX_LATENT_EDGES, LatentRanks
from app.engine.drift.uniformity import MIN_ROWS, kolmogorov_survival

BINS = MAX_LATENT_EDGES + 1
"""Bins of each latent; those beyond its edges stay empty."""
MAX_LATENTS = 64
"""The most latents that are watched, the first ones: one process shares at most 1024 numbers of a name."""


class LatentTest(NamedTuple):
    """The Kolmogorov-Smirnov test of one latent."""

    latent: int
    """Its index."""
    statistic: float
    """The largest distance between the distribution functions of the window and of the calibration rows."""
    p_value: float
    """Not corrected for the number of latents."""


class LatentDrift(NamedTuple):
    """The tests of all latents."""

    rows: int
    """The rows in the window: those that were encoded."""
    tests: tuple[LatentTest, ...]

    @property
    def p_value(self) -> float:
        """The smallest p-value of the tests, times their number."""
        return min(1.0, len(self.tests) * min(test.p_value for test in self.tests))


class LatentBins:
    """The bins of each latent: a row of counts for each, one after another."""

    def __init__(self, latents: Sequence[LatentRanks], calibration_rows: int) -> None:
        latents = latents[:MAX_LATENTS]
        self._calibration_rows = calibration_rows
        self._edges = np.full((len(latents), MAX_LATENT_EDGES), np.inf, np.float32)
        self._shares = np.ones((len(latents), MAX_LATENT_EDGES))
        """The shares of the calibration rows that are at most each edge."""
        for index, latent in enumerate(latents):
            self._edges[index, : len(latent.edges)] = latent.edges
            self._shares[index, : len(latent.ranks)] = np.array(latent.ranks) / calibration_rows

    def __len__(self) -> int:
        return self.latents * BINS

    @property
    def latents(self) -> int:
        """The number of latents that are watched."""
        return len(self._edges)

    def indices(self, latents: Latents) -> npt.NDArray[np.intp]:
        """Return the place of each number among all counts. Shapes: (N, D) -> (N, up to MAX_LATENTS)."""
        bins: npt.NDArray[np.intp] = (latents[:, : self.latents, None] > self._edges).sum(axis=2)
        bins += BINS * np.arange(self.latents)
        return bins

    def measure(self, counts: Sequence[float]) -> LatentDrift | None:
        """
        Return the tests of a window's counts, or None if it has too few rows.

        Each is the test of two samples, at the edges: between them the distance may be larger, so that a p-value is
        never too small because of the bins. Source: as `measure_uniformity`.
        """
        if len(counts) != len(self) or not counts:
            return None
        by_latent = np.maximum(np.reshape(counts, (-1, BINS)), 0)
        rows, n = by_latent[0].sum(), self._calibration_rows
        if rows < MIN_ROWS:
            return None
        observed = np.cumsum(by_latent, axis=1)[:, :-1] / rows
        statistics = np.abs(observed - self._shares).max(axis=1)
        scale = math.sqrt(n * rows / (n + rows))
        tests = [
            LatentTest(index, float(statistic), kolmogorov_survival(float(statistic) * scale))
            for index, statistic in enumerate(statistics)
        ]
        return LatentDrift(round(rows), tuple(tests))
