"""Bins of p-values: a window is kept as counts, which several processes can add up and which hold nothing of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.arrays import Array

UNIFORM_BINS = 40
"""Bins of about the same width, for the shape of the distribution."""
MAX_TAIL_SHARE = 0.25
"""The largest level at which small p-values are counted."""


@dataclass(frozen=True)
class Bins:
    """
    Bins of the p-values of a scorer with n calibration rows.

    A p-value is rank / (n + 1), with a rank from 1 to n + 1. A bin holds the ranks from the edge before it to its own.
    """

    calibration_rows: int
    edges: tuple[int, ...]
    """The largest rank of each bin; the last is n + 1."""
    tail: tuple[int, ...]
    """The edges at which small p-values are counted: 1, 2, 4, …"""

    @classmethod
    def of(cls, calibration_rows: int) -> Bins:
        """Return the bins for a number of calibration rows: one for each rank, if there are few."""
        ranks = calibration_rows + 1
        tail = [2**power for power in range(ranks.bit_length()) if 2**power <= max(1, MAX_TAIL_SHARE * ranks)]
        uniform = {round(ranks * part / UNIFORM_BINS) for part in range(1, UNIFORM_BINS + 1)} - {0}
        return cls(calibration_rows, tuple(sorted({*uniform, *tail})), tuple(tail))

    def indices(self, p_values: Array) -> npt.NDArray[np.intp]:
        """Return the bin of each p-value."""
        ranks = np.rint(p_values.astype(np.float64) * (self.calibration_rows + 1))
        return np.minimum(np.searchsorted(self.edges, ranks), len(self.edges) - 1)

    def cumulated(self, counts: Sequence[float]) -> npt.NDArray[np.float64]:
        """Return the number of rows whose rank is at most that of each edge."""
        return np.cumsum(np.maximum(counts, 0), dtype=np.float64)
