"""The false-positive rates of a scorer on normal rows, and the bands that they should lie in."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.stats import betabinom

from app.arrays import Array
from app.manifest import Measurement
from training.data.dataset import Split
from training.evaluation.subject import Subject

ALPHAS = (0.1, 0.05, 0.01)
LEVEL = 0.99
"""The probability with which a rate lies in its band."""
SLACK = 1e-6
"""The rounding of a p-value in float32."""


def measure_false_alarms(subject: Subject) -> Measurement:
    """Return the share of test rows, which are taken to be normal, with p-values of at most each alpha."""
    _, p_values = score_split(subject, subject.data.test)
    assert subject.manifest.scorer
    rows = subject.manifest.scorer.calibration_rows
    return Measurement(
        data_set=subject.description,
        protocol=f"false-positive rates of the scorer, calibrated on {rows} rows: the share of the samples with a "
        "p-value of at most alpha, if all of them are normal, and the ends of the band that holds 99 % of such rates "
        "(beta-binomial)",
        values=false_alarm_values(p_values, rows),
    )


def score_split(subject: Subject, split: Split) -> tuple[Array, Array]:
    """Return the score and the p-value of each row. Shape: (N,) each."""
    parts = [subject.model.run_scorer(part.in_users_units())[:2] for part in subject.chunks(split)]
    scores, p_values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return scores, p_values


def false_alarm_values(p_values: Array, calibration_rows: int) -> dict[str, float]:
    """Return the false-positive rate of normal rows at each alpha, and the ends of its band."""
    return dict(_values(p_values, calibration_rows))


def _values(p_values: Array, calibration_rows: int) -> Iterator[tuple[str, float]]:
    for alpha in ALPHAS:
        low, high = false_alarm_band(alpha, calibration_rows, len(p_values))
        yield f"false_positive_rate_{alpha:g}", float((p_values <= alpha + SLACK).mean())
        yield f"false_positive_rate_{alpha:g}_low", low
        yield f"false_positive_rate_{alpha:g}_high", high


def false_alarm_band(alpha: float, calibration_rows: int, test_rows: int, level: float = LEVEL) -> tuple[float, float]:
    """
    Return the ends of the central interval of the share of normal test rows with a p-value of at most alpha.

    The count follows a beta-binomial distribution: a binomial one whose rate depends on the calibration rows that were
    drawn. Source: Vovk, "Conditional validity of inductive conformal predictors", 2012
    """
    rank = math.floor(alpha * (calibration_rows + 1) + SLACK)
    if rank == 0:
        return 0.0, 0.0
    counts = betabinom(test_rows, rank, calibration_rows + 1 - rank)
    low, high = counts.ppf([(1 - level) / 2, (1 + level) / 2])
    return float(low) / test_rows, float(high) / test_rows
