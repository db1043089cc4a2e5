"""
The time of a graph's runs on this machine, measured when its model is loaded.

It decides where the graph runs, and how many rows share a run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from app.engine.offload import MAX_LOOP_RUN_SECONDS, MAX_SOLE_CORE_RUN_SECONDS

MAX_RUN_SECONDS = 0.005
"""
About the longest run of a full batch. By then larger batches gain nothing, and other requests wait for the run.
"""
MAX_ROWS = 256
"""The most rows of a run."""
REPEATS, LONG_REPEATS = 3, 2
"""Runs of each size, of which the fastest counts; of sizes that are too long for the event loop, fewer."""
RUN_COST_SECONDS = 60e-6
"""
An estimate of the time that a run takes beside its graph. Half of it is a hand-over to a thread and back, as measured
by `bench.serving.anatomy`.
"""
MAX_SLOWDOWN = 1.03
"""
Factor on a row's time up to which another size is as good. Of such sizes, the smallest is taken: larger runs gain
nothing, leave other cores idle, and cost more once their activations outgrow the memory blocks that are kept
(`app.engine.process`) or the processor's cache.
"""


@dataclass(frozen=True)
class RunTime:
    """The seconds of a run with one row, and the seconds for each row of a larger run."""

    first: float
    per_row: float
    most_rows: int = MAX_ROWS
    """The rows of the smallest run in which a row takes hardly longer than in any other."""

    def rows_on_loop(self, one_core: bool = False) -> int:
        """Return the most rows of a run on the event loop; 0 if not even one row may run there."""
        longest = MAX_SOLE_CORE_RUN_SECONDS if one_core else MAX_LOOP_RUN_SECONDS
        return 0 if self.first > longest else _rows_within(longest, self.per_row)

    @property
    def rows_per_run(self) -> int:
        """The most rows of any run, at least 1."""
        return min(self.most_rows, _rows_within(MAX_RUN_SECONDS, self.per_row))

    def __add__(self, other: RunTime) -> RunTime:
        """Return the time of two graphs that run one after the other."""
        most_rows = min(self.most_rows, other.most_rows)
        return RunTime(self.first + other.first, self.per_row + other.per_row, most_rows)


def measure(run: Callable[[int], object]) -> RunTime:
    """
    Measure a function of a number of rows.

    It runs 1, 2, 4, … rows, up to the first run that is too long for the event loop, and then on while a row takes no
    longer and the run is short enough for a thread. The fastest of several runs counts: other processes can only slow
    a run down.
    """
    rows, seconds = 1, _fastest(run, 1, REPEATS)
    first, costs = seconds, {rows: seconds + RUN_COST_SECONDS}
    while seconds < MAX_LOOP_RUN_SECONDS and rows < MAX_ROWS:
        rows *= 2
        seconds = _fastest(run, rows, REPEATS)
        costs[rows] = (seconds + RUN_COST_SECONDS) / rows
    on_loop = seconds / rows
    while 2 * seconds <= MAX_RUN_SECONDS and rows < MAX_ROWS and _is_good(rows, costs):
        rows *= 2
        seconds = _fastest(run, rows, LONG_REPEATS)
        costs[rows] = (seconds + RUN_COST_SECONDS) / rows
    return RunTime(first, on_loop, min(rows for rows in costs if _is_good(rows, costs)))


def _is_good(rows: int, costs: dict[int, float]) -> bool:
    """Return True if a row of such a run costs hardly more than in the best of the runs."""
    return costs[rows] <= MAX_SLOWDOWN * min(costs.values())


def _rows_within(seconds: float, per_row: float) -> int:
    return max(1, min(MAX_ROWS, int(seconds / per_row)))


def _fastest(run: Callable[[int], object], rows: int, repeats: int) -> float:
    return min(_seconds(run, rows) for _ in range(repeats))


def _seconds(run: Callable[[int], object], rows: int) -> float:
    start = time.perf_counter()
    run(rows)
    return time.perf_counter() - start
