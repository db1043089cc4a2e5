"""The band that a false-positive rate should lie in, if the p-values hold."""

from __future__ import annotations

import math

from scipy.stats import betabinom  # type: ignore[import-untyped]

ALPHAS = (0.1, 0.05, 0.01)
LEVEL = 0.99


def false_alarm_band(alpha: float, calibration_rows: int, test_rows: int, level: float = LEVEL) -> tuple[float, float]:
    """
    Return the ends of the central interval of the share of normal test rows with a p-value of at most alpha.

    Given n calibration rows, the count follows a beta-binomial distribution: a binomial one, whose rate depends on the
    calibration rows that were drawn. Source: Vovk, "Conditional validity of inductive conformal predictors", 2012
    """
    rank = math.floor(alpha * (calibration_rows + 1) + 1e-9)
    if rank == 0:
        return 0.0, 0.0
    counts = betabinom(test_rows, rank, calibration_rows + 1 - rank)
    low, high = counts.ppf([(1 - level) / 2, (1 + level) / 2])
    return float(low) / test_rows, float(high) / test_rows
