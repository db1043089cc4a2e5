"""The window of p-values that drift is looked for in: the last rows that one process scored."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.arrays import Array
from app.engine.drift.bins import Bins


class Window:
    """
    The bins of the p-values of the last rows, and their counts, which may lie in memory that processes share.

    Only one thread records.
    """

    def __init__(self, bins: Bins, rows: int, counts: npt.NDArray[np.float64]) -> None:
        self._bins = bins
        self._counts = counts
        self._counts[:] = 0
        self._recent = np.zeros(rows, np.uint8)
        """The bin of each row, as a ring."""
        self._recorded = 0

    def record(self, p_values: Array) -> None:
        """Take the p-values of scored rows in, and let as many old ones go if the window is full."""
        size, bins = len(self._recent), len(self._counts)
        new = self._bins.indices(p_values[-size:])
        places = np.arange(self._recorded, self._recorded + len(new)) % size
        if (full := self._recorded + len(new) - size) > 0:
            old = self._recent[places[max(0, len(new) - full) :]]
            self._counts -= np.bincount(old, minlength=bins)
        self._recent[places] = new
        self._counts += np.bincount(new, minlength=bins)
        self._recorded += len(new)
