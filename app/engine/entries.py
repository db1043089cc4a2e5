"""What waits for a run: one request's rows, or a part of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from app.engine.times import RunTimes

Rows = npt.NDArray[Any]
"""An array whose first axis counts rows."""
RowFunction = Callable[..., tuple[Rows, ...]]
"""Takes and gives arrays with as many rows; what it gives for a row depends on that row alone."""


@dataclass(slots=True, eq=False)
class Entry:
    """One request's rows, or a part of them, and the caller that waits for theirs."""

    arrays: tuple[Rows, ...]
    rows: int
    kind: tuple[Any, ...]
    """Shape of a row and dtype of each array: entries of different kinds never share a run."""
    since: float
    """Of `time.monotonic`; when it came."""
    times: RunTimes | None
    """Where to say how long it waited and how long its run took."""
    answer: asyncio.Future[tuple[Rows, ...]]
    outcome: tuple[Rows, ...] | Exception | None = None
    waited: float = 0.0
    took: float = 0.0

    def settle(self) -> None:
        """Give the caller the outcome, on the event loop."""
        if self.times:
            self.times.queue += self.waited
            self.times.compute += self.took
        if self.answer.done():
            return
        if isinstance(self.outcome, Exception):
            self.answer.set_exception(self.outcome)
        elif self.outcome is not None:
            self.answer.set_result(self.outcome)
