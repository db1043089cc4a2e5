"""Counts and nanoseconds of the runs of a queue, and of the requests of /v2."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from app.times import RequestTimes, now


class Total:
    """A count of events, and the time that they took in total."""

    def __init__(self) -> None:
        self.count = 0
        self.nanoseconds = 0

    def add(self, seconds: float, count: int = 1) -> None:
        """Add `count` events that took `seconds` in total."""
        self.count += count
        self.nanoseconds += round(seconds * 1e9)


class RunStatistics:
    """The runs of one queue. Any thread may add to them."""

    def __init__(self) -> None:
        self.on_run: Callable[[int], None] | None = None
        """Called with the rows of each successful run, on the thread that did it."""
        self._lock = Lock()
        self._by_rows: dict[int, Total] = {}
        """Successful runs by their number of rows; one queue has at most a few hundred different numbers."""
        self._queue = Total()
        self.unqueued = 0
        """Requests that ran without waiting in the queue; only the event loop counts them."""
        self.last = 0.0
        """The end of the last run, in seconds since 1970; 0 before the first."""

    def add_run(self, rows: int, seconds: float) -> None:
        """Count a successful run."""
        with self._lock:
            self.last = time.time()
            total = self._by_rows.get(rows)
            if total is None:
                total = self._by_rows[rows] = Total()
            total.add(seconds)
        if self.on_run is not None:
            self.on_run(rows)

    def add_waiting(self, seconds: float, requests: int) -> None:
        """Count requests that left the queue for a run after waiting `seconds` in total."""
        with self._lock:
            self._queue.add(seconds, requests)

    @property
    def queue(self) -> Total:
        """All requests, and how long they waited; those that did not queue waited for no time."""
        total = Total()
        with self._lock:
            total.count = self._queue.count + self.unqueued
            total.nanoseconds = self._queue.nanoseconds
        return total

    @property
    def by_rows(self) -> dict[int, Total]:
        """A copy of the totals by number of rows, safe while other threads add runs."""
        with self._lock:
            return dict(self._by_rows)


class RequestStatistics:
    """The requests of /v2 for one task of one version."""

    def __init__(self) -> None:
        self.success, self.fail = Total(), Total()
        self.read, self.write = Total(), Total()
        """Parts of successful requests: until the tensors are arrays, and from the result to the end."""

    def add_success(self, times: RequestTimes) -> None:
        """Count a request that was answered."""
        time = now()
        self.success.add(time - times.start)
        self.read.add(times.decoded - times.start)
        self.write.add(time - times.computed)

    def add_failure(self, times: RequestTimes) -> None:
        """Count a request that got an error, or whose client disconnected."""
        self.fail.add(now() - times.start)
