"""
The time of a graph's runs on this machine, measured when its model is loaded, or when the first request opens it.

It decides where the graph runs, and how many rows share a run.
"""

from __future__ import annotations

import math
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
NOISE = 1.1
"""
Factor on a row's time up to which it may be as long as in a run of half the rows: two runs of a few milliseconds tell
no more. What outgrows memory takes longer by more than that.
"""


@dataclass(frozen=True)
class RunTime:
    """The seconds of a run with one row, and the seconds for each row of larger runs."""

    first: float
    per_row: float
    """In a run that is about as long as one on the event loop may be."""
    most_rows: int = MAX_ROWS
    """The rows of the smallest run in which a row takes hardly longer than in any other."""
    per_row_at_most: float | None = None
    """In a run of the most rows: less than `per_row` if a large layer reads its weights once for all rows."""

    def rows_on_loop(self, one_core: bool = False) -> int:
        """Return the most rows of a run on the event loop; 0 if not even one row may run there."""
        longest = MAX_SOLE_CORE_RUN_SECONDS if one_core else MAX_LOOP_RUN_SECONDS
        return 0 if self.first > longest else _rows_within(longest, self.per_row)

    @property
    def rows_per_run(self) -> int:
        """The most rows of any run, at least 1."""
        return min(self.most_rows, _rows_within(MAX_RUN_SECONDS, self._seconds_at_most()))

    def __add__(self, other: RunTime) -> RunTime:
        """Return the time of two graphs that run one after the other."""
        most_rows = min(self.most_rows, other.most_rows)
        at_most = self._seconds_at_most() + other._seconds_at_most()
        return RunTime(self.first + other.first, self.per_row + other.per_row, most_rows, at_most)

    def _seconds_at_most(self) -> float:
        return self.per_row if self.per_row_at_most is None else self.per_row_at_most


def measure(run: Callable[[int], object]) -> RunTime:
    """
    Measure a function of a number of rows.

    It runs 1, 2, 4, … rows, up to the first run that is too long for the event loop, and then on while twice the rows
    may gain time and the run is short enough for a thread. The fastest of several runs counts: the first one of a size
    is cold, and other processes can only slow a run down.
    """
    rows, times = 1, {1: _fastest(run, 1, REPEATS)}
    while times[rows] < MAX_LOOP_RUN_SECONDS and rows < MAX_ROWS:
        rows *= 2
        times[rows] = _time(run, rows, REPEATS, 2 * times[rows // 2])
    on_loop = times[rows] / rows
    while 2 * times[rows] <= MAX_RUN_SECONDS and rows < MAX_ROWS and _may_gain(times, rows):
        rows *= 2
        times[rows] = _time(run, rows, LONG_REPEATS, 2 * times[rows // 2])
    most_rows = _smallest_good(times)
    return RunTime(times[1], on_loop, most_rows, times[most_rows] / most_rows)


def _may_gain(times: dict[int, float], rows: int) -> bool:
    """Return True if a run of twice the rows may take less time for each, given the times of runs up to these rows."""
    last, before = times[rows] / rows, times[rows // 2] / (rows // 2) if rows > 1 else math.inf
    if last > NOISE * before:
        return False
    return (MAX_SLOWDOWN - 1) * times[rows] < RUN_COST_SECONDS or MAX_SLOWDOWN * last < before


def _smallest_good(times: dict[int, float]) -> int:
    """Return the rows of the smallest run in which a row costs hardly more than in any other."""
    costs, per_row = {}, math.inf
    for rows, seconds in times.items():
        per_row = seconds / rows if seconds / rows > NOISE * per_row else min(per_row, seconds / rows)
        costs[rows] = per_row + RUN_COST_SECONDS / rows
    return min(rows for rows, cost in costs.items() if cost <= MAX_SLOWDOWN * min(costs.values()))


def _time(run: Callable[[int], object], rows: int, repeats: int, expected: float) -> float:
    """Return the shortest time of several runs. If it is longer than expected, as many but the cold one are added."""
    seconds = _fastest(run, rows, repeats)
    return seconds if seconds <= MAX_SLOWDOWN * expected else min(seconds, _fastest(run, rows, repeats - 1))


def _fastest(run: Callable[[int], object], rows: int, repeats: int) -> float:
    return min(_seconds(run, rows) for _ in range(repeats))


def _seconds(run: Callable[[int], object], rows: int) -> float:
    start = time.perf_counter()
    run(rows)
    return time.perf_counter() - start


def _rows_within(seconds: float, per_row: float) -> int:
    return max(1, min(MAX_ROWS, int(seconds / per_row)))
