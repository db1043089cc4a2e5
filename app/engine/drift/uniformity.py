"""
Tests of a window of conformal p-values, which say how likely they are if its rows are like the calibration rows.

The p-values of clean rows are uniform only on average over calibrations: those of one calibration share its error. So
all tests compare two samples, the m rows of the window and the n calibration rows, all of which are alike under the
null hypothesis. The rank of a p-value says how many of the calibration rows a row is stranger than, and the ranks of a
window all that tests of two samples by their order need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from app.engine.drift.bins import Bins

DEFAULT_ALPHA = 0.01
"""A p-value below it is drift, unless the caller has another level: of clean windows, at most this share is."""
MIN_ROWS = 100
"""Rows that a window needs before it is judged."""
SERIES_TERMS = 100


class Uniformity(NamedTuple):
    """The Kolmogorov-Smirnov test of the whole window."""

    statistic: float
    """The largest distance between the distribution functions of the window's scores and of the calibration's."""
    p_value: float


class Shift(NamedTuple):
    """The rank-sum test of the whole window, which sees best what makes all rows a little stranger."""

    probability: float
    """The probability that a row of the window is stranger than a calibration row; about a half is expected."""
    p_value: float


class Excess(NamedTuple):
    """The test of small p-values, which a few anomalies among many clean rows lead to."""

    level: float
    """The p-value up to which rows were counted: of several levels, the one where the excess is least likely."""
    share: float
    """The share of the window's rows with such p-values; about `level` is expected."""
    p_value: float
    """The probability of as many, times the number of levels."""


class Drift(NamedTuple):
    """The results of the tests."""

    uniformity: Uniformity
    shift: Shift
    excess: Excess

    @property
    def p_value(self) -> float:
        """The smallest p-value of the three tests, times their number."""
        return min(1.0, 3 * min(self.uniformity.p_value, self.shift.p_value, self.excess.p_value))


def measure_drift(counts: Sequence[float], bins: Bins) -> Drift | None:
    """Return the result of the tests of a window's counts, or None if it has too few rows."""
    if len(counts) != len(bins.edges) or sum(counts) < MIN_ROWS:
        return None
    return Drift(measure_uniformity(counts, bins), measure_shift(counts, bins), measure_excess(counts, bins))


def measure_uniformity(counts: Sequence[float], bins: Bins) -> Uniformity:
    """
    Return the Kolmogorov-Smirnov test of two samples, at the edges of the bins.

    Between the edges the distance may be larger, so a p-value is never too small because of the bins.
    Source: Smirnov, "Table for Estimating the Goodness of Fit of Empirical Distributions", Ann. Math. Stat. 19 (1948)
    """
    cumulated, n = bins.cumulated(counts), bins.calibration_rows
    m = cumulated[-1]
    observed, edges = cumulated[:-1] / m, np.array(bins.edges[:-1])
    # rank r or less: stranger than all but r - 1 of the calibration rows, and at least as strange as all but r
    distances = np.maximum(np.abs(observed - (edges - 1) / n), np.abs(observed - edges / n))
    statistic = float(distances.max(initial=0.0))
    return Uniformity(statistic, kolmogorov_survival(statistic * math.sqrt(n * m / (n + m))))


def kolmogorov_survival(distance: float) -> float:
    """Return P(K > distance) for Kolmogorov's distribution, the limit for large samples."""
    if distance < 0.2:
        return 1.0  # to nine decimals; the series converges slowly there
    terms = (math.copysign(math.exp(-2 * (k * distance) ** 2), k % 2 - 0.5) for k in range(1, SERIES_TERMS))
    return min(1.0, max(0.0, 2 * sum(terms)))


def measure_shift(counts: Sequence[float], bins: Bins) -> Shift:
    """
    Return the rank-sum test of two samples. Each row of a bin has the mean of the bin's ranks.

    Source: Mann & Whitney, "On a Test of Whether one of Two Random Variables is Stochastically Larger than the Other",
    Ann. Math. Stat. 18 (1947)
    """
    edges, n = np.array(bins.edges), bins.calibration_rows
    ranks = (np.append(1, edges[:-1] + 1) + edges) / 2
    rows = np.diff(bins.cumulated(counts), prepend=0)
    m = rows.sum()
    probability = float(1 - (rows * (ranks - 1)).sum() / (n * m))
    deviation = math.sqrt((n + m + 1) / (12 * n * m))
    return Shift(probability, math.erfc(abs(probability - 0.5) / deviation / math.sqrt(2)))


def measure_excess(counts: Sequence[float], bins: Bins) -> Excess:
    """Return the test of the number of small p-values at several levels, corrected by Bonferroni for their number."""
    cumulated, n = bins.cumulated(counts), bins.calibration_rows
    m = round(cumulated[-1])
    found = [round(cumulated[bins.edges.index(edge)]) for edge in bins.tail]
    p_values = [tail_probability(count, edge, m, n) for count, edge in zip(found, bins.tail, strict=True)]
    least = min(range(len(p_values)), key=p_values.__getitem__)
    return Excess(bins.tail[least] / (n + 1), found[least] / m, min(1.0, len(p_values) * p_values[least]))


def tail_probability(count: int, rank: int, m: int, n: int) -> float:
    """
    Return the probability that at least `count` of m rows are stranger than all but rank - 1 of n calibration rows.

    All orders of m + n alike rows are equally likely. So the number K of such rows has the negative hypergeometric
    distribution, P(K = k) = C(k + r - 1, k) C(m - k + n - r, m - k) / C(m + n, m).
    Source: Wilks, "Statistical Prediction with Special Reference to the Problem of Tolerance Limits", Ann. Math. Stat.
    13 (1942)
    """
    k = np.arange(m, dtype=np.float64)
    ratios = np.log((k + rank) * (m - k)) - np.log((k + 1) * (m - k + n - rank))
    logarithms = np.concatenate([[0.0], np.cumsum(ratios)])
    probabilities = np.exp(logarithms - logarithms.max())
    return float(probabilities[count:].sum() / probabilities.sum())
