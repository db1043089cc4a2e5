"""What runs have taken so far: counts and nanoseconds, for whoever asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

Rows = Any


class Total:
    """How often something happened, and how long it took altogether."""

    def __init__(self) -> None:
        self.count = 0
        self.nanoseconds = 0

    def add(self, nanoseconds: int, count: int = 1) -> None:
        """It happened once more, or so often."""
        self.count += count
        self.nanoseconds += nanoseconds


class Runs:
    """A function of rows that counts its runs, from whichever thread, by their number of rows."""

    def __init__(self, function: Callable[..., tuple[Rows, ...]]) -> None:
        self._function = function
        self._lock = Lock()
        self.by_rows: dict[int, Total] = {}
        """Runs that gave an answer; of one function they have at most a few hundred different numbers of rows."""
        self._queued = Total()
        self.at_once = 0
        """Requests that were spared the queue; the event loop alone counts them."""
        self.last = 0.0
        """When the last run ended, in seconds since 1970; 0 where there was none."""

    def __call__(self, *arrays: Rows) -> tuple[Rows, ...]:
        """What the function gives."""
        start = time.perf_counter_ns()
        answer = self._function(*arrays)
        nanoseconds = time.perf_counter_ns() - start
        rows = len(arrays[0])
        with self._lock:
            self.last = time.time()
            total = self.by_rows.get(rows)
            if total is None:
                total = self.by_rows[rows] = Total()
            total.add(nanoseconds)
        return answer

    def waited(self, seconds: float, requests: int = 1) -> None:
        """Count requests whose rows a run takes after they waited, so long together."""
        with self._lock:
            self._queued.add(round(seconds * 1e9), requests)

    @property
    def queue(self) -> Total:
        """How long requests waited for their runs; those that were spared the queue did not."""
        total = Total()
        with self._lock:
            total.add(self._queued.nanoseconds, self._queued.count + self.at_once)
        return total

    def copy_by_rows(self) -> dict[int, Total]:
        """The totals by number of rows, which other threads may go on to change."""
        with self._lock:
            return dict(self.by_rows)
