"""A request's rows, or a part of them, waiting for a run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from app.arrays import Rows
from app.times import RequestTimes


@dataclass(slots=True, eq=False)
class Pending:
    """The rows of one request, or a part of them, and the future that its caller awaits."""

    arrays: tuple[Rows, ...]
    rows: int
    kind: tuple[Any, ...]
    """The row shape and dtype of each array: rows of different kinds never share a run."""
    since: float
    """Time of arrival on the clock of `app.times.now`."""
    times: RequestTimes | None
    """The request's clock, to which the waiting and the run are added."""
    result: asyncio.Future[tuple[Rows, ...]]
    outcome: tuple[Rows, ...] | Exception | None = None
    waited: float = 0.0
    """Seconds until the run began."""
    ran: float = 0.0
    """Seconds of the run."""

    def settle(self) -> None:
        """Give the caller the outcome. Only the event loop calls this."""
        if self.times:
            self.times.queue += self.waited
            self.times.compute += self.ran
        if self.result.done():
            return
        if isinstance(self.outcome, Exception):
            self.result.set_exception(self.outcome)
        elif self.outcome is not None:
            self.result.set_result(self.outcome)
