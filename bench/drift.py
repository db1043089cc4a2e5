"""
False alarms and power of drift, from simulated scores: a Markdown table to stdout.

    .venv/bin/python -m bench.drift

Calibration rows and clean rows are draws of one normal distribution, from whose scores p-values are made as a scorer
makes them. Each calibration serves 200 windows of 1 000 rows, as a model does, so that the windows share its error.

- false alarms: the share of all clean windows that are called drift at the default level of 0.01.
- calibrations above 5 %: the share of calibrations, more than 5 % of whose clean windows are.
- one sample: the share of clean windows that the Kolmogorov-Smirnov test against the uniform distribution finds at
  0.05. It takes the calibration rows for the truth, and is not used.
- 5 % foreign: the share of windows found in which 50 of the 1 000 rows are 4 standard deviations stranger.
- shifted: the share of windows found in which all rows are 0.2 standard deviations stranger.
"""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.engine.drift.bins import Bins
from app.engine.drift.uniformity import DEFAULT_ALPHA, kolmogorov_survival, measure_drift

CALIBRATION_ROWS = (99, 199, 499, 999, 1999, 4999)
CALIBRATIONS, WINDOWS, POWER_WINDOWS, ROWS = 100, 200, 10, 1000
FOREIGN_ROWS, FOREIGN_SHIFT, SHIFT = 50, 4.0, 0.2
HIGH_RATE = 0.05
ONE_SAMPLE_LEVEL = 0.05
SEED = 0

Scores = npt.NDArray[np.float64]


class Rates(NamedTuple):
    """Shares of windows that are called drift, over all calibrations or of one of them."""

    false_alarms: float
    calibrations_above: float
    one_sample: float
    foreign: float
    shifted: float


def main() -> int:
    """Print the table."""
    print("| calibration rows | false alarms | calibrations above 5 % | one sample at 0.05 | 5 % foreign | shifted |")
    print("|--:|--:|--:|--:|--:|--:|")
    for calibration_rows in CALIBRATION_ROWS:
        rates = simulate(calibration_rows, np.random.default_rng(SEED))
        print(f"| {calibration_rows} | " + " | ".join(f"{100 * rate:.2f} %" for rate in rates) + " |", flush=True)
    return 0


def simulate(calibration_rows: int, random: np.random.Generator) -> Rates:
    """Return the rates with a number of calibration rows."""
    bins = Bins.of(calibration_rows)
    clean, uniform, foreign, shifted = [], [], [], []
    for _ in range(CALIBRATIONS):
        calibration = np.sort(random.normal(size=calibration_rows))
        windows = [window_counts(calibration, draw(random)) for _ in range(WINDOWS)]
        clean.append(np.mean([is_drift(counts, bins) for counts in windows]))
        uniform.append(np.mean([differs_from_uniform(counts, bins) for counts in windows]))
        for _ in range(POWER_WINDOWS):
            foreign.append(is_drift(window_counts(calibration, draw(random, FOREIGN_ROWS, FOREIGN_SHIFT)), bins))
            shifted.append(is_drift(window_counts(calibration, draw(random, ROWS, SHIFT)), bins))
    means = [float(np.mean(rates)) for rates in (clean, uniform, foreign, shifted)]
    return Rates(means[0], float(np.mean(np.array(clean) > HIGH_RATE)), *means[1:])


def draw(random: np.random.Generator, strange_rows: int = 0, shift: float = 0.0) -> Scores:
    """Return the scores of a window, of which the first rows are stranger."""
    scores = random.normal(size=ROWS)
    scores[:strange_rows] += shift
    return scores


def window_counts(calibration: Scores, scores: Scores) -> list[float]:
    """Return the counts of the p-values of scores. The calibration is sorted."""
    n = len(calibration)
    bins = Bins.of(n)
    p_values = ((n - np.searchsorted(calibration, scores) + 1) / (n + 1)).astype(np.float32)
    counts: list[float] = np.bincount(bins.indices(p_values), minlength=len(bins.edges)).tolist()
    return counts


def is_drift(counts: list[float], bins: Bins) -> bool:
    """Return True if a window is called drift."""
    drift = measure_drift(counts, bins)
    assert drift is not None  # a window has enough rows
    return drift.p_value < DEFAULT_ALPHA


def differs_from_uniform(counts: list[float], bins: Bins) -> bool:
    """Return True if a window's p-values differ from the uniform distribution at the level 0.05."""
    cumulated = bins.cumulated(counts)
    expected = np.array(bins.edges) / bins.edges[-1]
    statistic = float(np.abs(cumulated / cumulated[-1] - expected).max())
    return kolmogorov_survival(statistic * math.sqrt(cumulated[-1])) < ONE_SAMPLE_LEVEL


if __name__ == "__main__":
    sys.exit(main())
