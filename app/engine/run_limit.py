"""
The limit on the time of a model's run: a run past it is ended through onnxruntime's RunOptions.

onnxruntime looks at `RunOptions.terminate` between the nodes of a graph and between the turns of a loop. A node that
takes very long by itself cannot be ended; `is_exceeded` reports it. A graph's time may depend on its input, so the runs
on the event loop have the limit as well. That costs about 1 µs of a run (`docs/decisions/0018-limits-of-time.md`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import onnxruntime
import structlog

from app.errors import RunTooLong
from app.times import now

Returned = TypeVar("Returned")

log = structlog.get_logger(__name__)

GRACE_SECONDS = 10.0
"""Seconds past the limit that a run has to end, before the process counts as stuck."""
MAX_POLL_SECONDS = 1.0
"""The longest pause between two looks at the runs."""


class CurrentRun(threading.local):
    """The options of the run on this thread. `Autoencoder` hands them to onnxruntime."""

    options: onnxruntime.RunOptions | None = None


CURRENT_RUN = CurrentRun()


class RunLimit:
    """
    The runs of models in progress, and the thread that ends those past the limit.

    The thread looks at the runs once a second, or more often if the limit is short, so that a run arms no timer.
    """

    def __init__(self, seconds: float = float("inf")) -> None:
        self._seconds = seconds
        self._runs: dict[int, tuple[float, onnxruntime.RunOptions]] = {}
        """The start and the options of each thread's run, by the thread's identifier."""
        self._closed = threading.Event()
        if seconds < float("inf"):
            threading.Thread(target=self._watch, name="run limit", daemon=True).start()

    def run(self, function: Callable[..., Returned], *arrays: object) -> Returned:
        """Return a function's result. Raises RunTooLong if the limit ended it."""
        options, thread = onnxruntime.RunOptions(), threading.get_ident()
        CURRENT_RUN.options = options
        self._runs[thread] = now(), options
        try:
            return function(*arrays)
        except Exception as error:
            if options.terminate:
                raise RunTooLong(f"the model ran for more than {self._seconds:g} s, and was stopped") from error
            raise
        finally:
            del self._runs[thread]
            CURRENT_RUN.options = None

    def is_exceeded(self) -> bool:
        """Return True if a run could not be ended: it is older than the limit and the grace."""
        if not self._runs:
            return False
        oldest = now() - self._seconds - GRACE_SECONDS
        return any(since < oldest for since, _ in list(self._runs.values()))

    def end_runs(self, seconds: float = 0.0) -> None:
        """End the runs that are older than this. It takes effect when their current node is finished."""
        oldest = now() - seconds
        for since, options in list(self._runs.values()):
            if since <= oldest and not options.terminate:
                options.terminate = True
                log.warning("run stopped", seconds=round(now() - since, 3))

    def close(self) -> None:
        """End the thread that looks at the runs."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(min(MAX_POLL_SECONDS, self._seconds / 4)):
            self.end_runs(self._seconds)
