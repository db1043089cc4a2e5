"""Verdicts on samples by their p-values: which of them are anomalies, at a level that the caller chooses."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from app.arrays import Array
from app.errors import InvalidParameter

Verdicts: TypeAlias = npt.NDArray[np.bool_]
"""(B,), true for an anomaly."""
Doubles: TypeAlias = npt.NDArray[np.float64]


def exact_p_values(p_values: Array, calibration_rows: int) -> Doubles:
    """
    Return conformal p-values as float64: multiples of 1 / (n + 1) with n calibration rows.

    A level such as 0.1 is not below the p-value 0.1 then, as it is below the float32 next to it.
    """
    steps: npt.NDArray[Any] = np.rint(p_values.astype(np.float64) * (calibration_rows + 1))
    exact: Doubles = steps / (calibration_rows + 1)
    return exact


def check_level(name: str, level: float, calibration_rows: int) -> None:
    """Raise InvalidParameter if no p-value can be as small as a level: every verdict would be false."""
    smallest = 1 / (calibration_rows + 1)
    if level < smallest:
        raise InvalidParameter(
            f"{name}: expected at least {smallest:.3g}, the smallest p-value with {calibration_rows} calibration rows, "
            f"got {level:g}"
        )


def below_level(p_values: Doubles, alpha: float) -> Verdicts:
    """Return true for each p-value of at most alpha: of samples like the calibration rows, a share of at most alpha."""
    verdicts: Verdicts = p_values <= alpha
    return verdicts


def discoveries(p_values: Doubles, fdr: float) -> Verdicts:
    """
    Return true for the samples that the Benjamini-Hochberg procedure finds among them.

    Of the samples that it finds, a share of at most `fdr` is expected to be like the calibration rows. It compares the
    k-th smallest of N p-values with fdr * k / N, finds the last that is not larger, and all that are no larger than it.
    Source: Benjamini & Hochberg, "Controlling the False Discovery Rate", JRSS B 57 (1995); for conformal p-values,
    Bates et al., "Testing for Outliers with Conformal p-values", arXiv:2104.08279
    """
    ordered = np.sort(p_values)
    levels = fdr * np.arange(1, len(ordered) + 1) / len(ordered)
    passed = ordered[ordered <= levels * (1 + 1e-12)]  # fdr * k / N may be rounded below an equal p-value
    verdicts: Verdicts = p_values <= (passed[-1] if len(passed) else -1.0)
    return verdicts
