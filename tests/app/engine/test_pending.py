"""Rows that wait for a run, and the future of their caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from app.arrays import Rows
from app.engine.pending import Pending, compute, settle
from app.engine.statistics import RunStatistics
from app.errors import Expired, NotFinite
from app.times import RequestTimes

RESULT = (np.array([[2.0]]),)


def settled(change: Callable[[Pending], object]) -> tuple[asyncio.Future[tuple[Rows, ...]], RequestTimes]:
    """Return the future and the clock of rows that were changed and settled."""

    async def settle() -> tuple[asyncio.Future[tuple[Rows, ...]], RequestTimes]:
        times = RequestTimes()
        future: asyncio.Future[tuple[Rows, ...]] = asyncio.get_running_loop().create_future()
        pending = Pending((np.array([[1.0]]),), 1, (), 0.0, times, future)
        change(pending)
        pending.settle()
        return future, times

    return asyncio.run(settle())


def finish(pending: Pending) -> None:
    """Give the rows a result after 2 s of waiting and a run of 3 s."""
    pending.outcome, pending.waited, pending.ran = RESULT, 2.0, 3.0


def test_the_caller_gets_the_result_and_the_clock_gets_the_times() -> None:
    future, times = settled(finish)
    assert future.result() is RESULT
    assert (times.queue, times.compute) == (2, 3)


def test_the_caller_gets_the_error() -> None:
    def expire(pending: Pending) -> None:
        pending.outcome = Expired("too late")

    future, _ = settled(expire)
    with pytest.raises(Expired, match="too late"):
        future.result()


def test_a_caller_that_left_gets_nothing() -> None:
    def leave(pending: Pending) -> None:
        finish(pending)
        pending.result.cancel()

    future, times = settled(leave)
    assert future.cancelled()
    assert times.compute == 3


def test_expired_rows_fail_and_count_their_waiting() -> None:
    future, times = settled(lambda pending: pending.expire(5.0))
    with pytest.raises(Expired, match="no thread was free"):
        future.result()
    assert (times.queue, times.compute) == (5, 0)


def test_rows_whose_caller_left_are_not_computed_again_after_a_shared_run_failed() -> None:
    runs: list[int] = []

    def fail_together(batch: Rows) -> tuple[Rows]:
        runs.append(len(batch))
        if len(batch) > 1:
            raise NotFinite("together")
        return (batch,)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        batch = [Pending((np.ones((1, 1)),), 1, (), 0.0, None, loop.create_future()) for _row in range(3)]
        batch[1].result.cancel()
        compute(batch, fail_together, RunStatistics())
        settle(batch)
        assert [pending.result.cancelled() for pending in batch] == [False, True, False]
        assert (await batch[2].result)[0].tolist() == [[1]]

    asyncio.run(scenario())
    assert runs == [3, 1, 1]
