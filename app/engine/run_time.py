"""The time of a graph's runs on this machine, measured when its model is loaded: it decides where the graph runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from app.engine.offload import MAX_LOOP_RUN_SECONDS

MAX_RUN_SECONDS = 0.005
"""
About the longest run of a full batch. By then larger batches gain nothing, other requests wait for the run, and the
activations of a convolutional network outgrow the memory blocks that are kept (`app.engine.process`).
"""
MAX_ROWS = 256
"""The most rows of a run."""
REPEATS = 3


@dataclass(frozen=True)
class RunTime:
    """The seconds of a run with one row, and the seconds for each row of a larger run."""

    first: float
    per_row: float

    @property
    def rows_on_loop(self) -> int:
        """The most rows of a run on the event loop; 0 if not even one row may run there."""
        return 0 if self.first > MAX_LOOP_RUN_SECONDS else _rows_within(MAX_LOOP_RUN_SECONDS, self.per_row)

    @property
    def rows_per_run(self) -> int:
        """The most rows of any run, at least 1."""
        return _rows_within(MAX_RUN_SECONDS, self.per_row)

    def __add__(self, other: RunTime) -> RunTime:
        """Return the time of two graphs that run one after the other."""
        return RunTime(self.first + other.first, self.per_row + other.per_row)


def measure(run: Callable[[int], object]) -> RunTime:
    """
    Measure a function of a number of rows.

    It runs 1, 2, 4, … rows, up to the first run that is too long for the event loop. The fastest of three runs counts:
    other processes can only slow a run down.
    """
    first = seconds = _fastest(run, 1)
    rows = 1
    while seconds < MAX_LOOP_RUN_SECONDS and rows < MAX_ROWS:
        rows *= 2
        seconds = _fastest(run, rows)
    return RunTime(first, seconds / rows)


def _rows_within(seconds: float, per_row: float) -> int:
    return max(1, min(MAX_ROWS, int(seconds / per_row)))


def _fastest(run: Callable[[int], object], rows: int) -> float:
    return min(_seconds(run, rows) for _ in range(REPEATS))


def _seconds(run: Callable[[int], object], rows: int) -> float:
    start = time.perf_counter()
    run(rows)
    return time.perf_counter() - start
