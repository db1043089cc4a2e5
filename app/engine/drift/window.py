"""The window that drift is looked for in: the last rows that one process scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class Window:
    """
    The bins of the last rows, and the counts of all bins, which may lie in memory that processes share.

    A row has one bin or several, as the first rows show. Only one thread records.
    """

    def __init__(self, rows: int, counts: npt.NDArray[np.float64]) -> None:
        self._rows = rows
        self._counts = counts
        self._counts[:] = 0
        self._recent: npt.NDArray[np.uint16] | None = None
        """The bins of each row, as a ring."""
        self._recorded = 0

    def record(self, bins: npt.NDArray[np.integer[Any]]) -> None:
        """
        Take the bins of scored rows in, and let as many old rows go if the window is full.

        Shape: (N,), or (N, bins of a row).
        """
        size, new = self._rows, bins[-self._rows :]
        if self._recent is None:
            self._recent = np.zeros((size, *new.shape[1:]), np.uint16)
        places = np.arange(self._recorded, self._recorded + len(new)) % size
        if (full := self._recorded + len(new) - size) > 0:
            old = self._recent[places[max(0, len(new) - full) :]]
            self._counts -= np.bincount(old.ravel(), minlength=len(self._counts))
        self._recent[places] = new
        self._counts += np.bincount(new.ravel(), minlength=len(self._counts))
        self._recorded += len(new)
