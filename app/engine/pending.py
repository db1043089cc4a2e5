"""The rows of requests that wait for a run, and the run that gives them their outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from app.arrays import Rows
from app.engine.statistics import RunStatistics
from app.errors import Expired
from app.times import RequestTimes, now

RowFunction: TypeAlias = Callable[..., tuple[Rows, ...]]
"""Takes and returns arrays with the same number of rows; each row of the result depends only on that row."""


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

    def expire(self, time: float) -> None:
        """Let the outcome be the error for too long a wait."""
        self.waited = time - self.since
        self.outcome = Expired("no thread was free to run the model in time; send the request again later")

    def forget(self, _: object) -> None:
        """Free the arrays: the caller has its result or is gone."""
        self.arrays = ()

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


def settle(batch: Iterable[Pending]) -> None:
    """Give each caller its outcome. Only the event loop calls this."""
    for pending in batch:
        pending.settle()


def compute(batch: list[Pending], function: RowFunction, statistics: RunStatistics) -> None:
    """
    Give each entry of a batch its outcome. If the shared run fails, run each alone: only the cause fails.

    Entries that have an outcome, and those whose caller left before they run alone, are not computed.
    """
    live = [pending for pending in batch if pending.outcome is None]
    if not live:
        return
    columns = [pending.arrays for pending in live]
    start = now()
    try:
        if len(live) == 1:
            results = function(*columns[0])
        else:
            results = function(*(np.concatenate(column) for column in zip(*columns, strict=True)))
    except Exception as error:  # whatever it is, it belongs to the sender of the rows
        if len(live) > 1:
            for pending in live:
                if not pending.result.done():
                    compute([pending], function, statistics)
            return
        live[0].outcome, live[0].waited, live[0].ran = error, start - live[0].since, now() - start
        return
    seconds, first = now() - start, 0
    statistics.add_run(sum([pending.rows for pending in live]), seconds)
    for pending in live:
        last = first + pending.rows
        pending.outcome = tuple([result[first:last] for result in results]) if len(live) > 1 else results
        pending.waited, pending.ran = start - pending.since, seconds
        first = last
