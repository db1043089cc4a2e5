"""How long a graph takes on this machine, measured when its model is loaded: what decides where and how it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

LOOP_SECONDS = 0.0008
"""A run that takes longer never runs on the event loop, where every other request would wait for it."""
RUN_SECONDS = 0.005
"""
About what a run of a full batch takes, at most: by then larger batches gain nothing, others wait for it, and what is
between the layers of a convolutional network outgrows the blocks of memory that are kept (`app.engine.allocator`).
"""
LARGEST = 256
"""Rows of a run, at most."""
REPEATS = 3


@dataclass(frozen=True)
class Pace:
    """Seconds of a run of one row, and seconds a row of a larger run. Of graphs that run in turn, the sum."""

    first: float
    per_row: float

    @property
    def rows_on_loop(self) -> int:
        """Rows of the largest run that may run on the event loop; 0 where not even one row may."""
        return 0 if self.first > LOOP_SECONDS else _rows(LOOP_SECONDS, self.per_row)

    @property
    def rows_per_run(self) -> int:
        """Rows of the largest run, at least 1."""
        return _rows(RUN_SECONDS, self.per_row)

    def __add__(self, other: Pace) -> Pace:
        return Pace(self.first + other.first, self.per_row + other.per_row)


def measure(run: Callable[[int], object]) -> Pace:
    """
    The pace of a function of a number of rows, from runs of 1, 2, 4, … rows, up to the first that is too long for the
    event loop. Each counts as the fastest of three, since other processes can only make it slower.
    """
    first = seconds = _fastest(run, 1)
    rows = 1
    while seconds < LOOP_SECONDS and rows < LARGEST:
        rows *= 2
        seconds = _fastest(run, rows)
    return Pace(first, seconds / rows)


def _rows(seconds: float, per_row: float) -> int:
    return max(1, min(LARGEST, int(seconds / per_row)))


def _fastest(run: Callable[[int], object], rows: int) -> float:
    return min(_timed(run, rows) for _ in range(REPEATS))


def _timed(run: Callable[[int], object], rows: int) -> float:
    start = time.perf_counter()
    run(rows)
    return time.perf_counter() - start
