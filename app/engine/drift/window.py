"""The window that drift is looked for in: the last rows that one process scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class Window:
    """
    The bins of the last rows, and the counts of all bins, which may lie in memory that processes share.

    Only one thread records.
    """

    def __init__(self, rows: int, counts: npt.NDArray[np.float64], bins_per_row: int = 1) -> None:
        self._counts = counts
        self._counts[:] = 0
        self._recent = np.zeros((rows, bins_per_row), np.uint16)
        """The bins of each row, as a ring."""
        self._recorded = 0

    def record(self, bins: npt.NDArray[np.integer[Any]]) -> None:
        """
        Take the bins of scored rows in, and let as many old rows go if the window is full.

        Shape: (N, bins per row), or (N,) for one.
        """
        size, bins_per_row = self._recent.shape
        new = bins[-size:].reshape(-1, bins_per_row)
        places = np.arange(self._recorded, self._recorded + len(new)) % size
        if (full := self._recorded + len(new) - size) > 0:
            old = self._recent[places[max(0, len(new) - full) :]]
            self._counts -= np.bincount(old.ravel(), minlength=len(self._counts))
        self._recent[places] = new
        self._counts += np.bincount(new.ravel(), minlength=len(self._counts))
        self._recorded += len(new)
