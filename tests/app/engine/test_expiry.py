"""A timer runs while something waits, and only then."""

from __future__ import annotations

import asyncio
import math
import weakref
from typing import Any

import pytest

from app.engine.expiry import Expiry
from app.times import now


class Line:
    """Arrivals that wait, and the timers of the event loop that were armed for them."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.expired = asyncio.Event()
        self.timers = 0

    def expire(self, oldest: float) -> float | None:
        """Drop what arrived until a time."""
        self.arrivals = [since for since in self.arrivals if since > oldest]
        if not self.arrivals:
            self.expired.set()
        return min(self.arrivals, default=None)


def count_timers(line: Line, monkeypatch: pytest.MonkeyPatch) -> asyncio.AbstractEventLoop:
    """Count the timers of the running event loop."""
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def counted(*arguments: Any) -> Any:
        line.timers += 1
        return call_later(*arguments)

    monkeypatch.setattr(loop, "call_later", counted)
    return loop


def test_many_arrivals_arm_one_timer_and_all_expire_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        line, expiry, start = Line(), Expiry(0.05), now()
        loop = count_timers(line, monkeypatch)
        for _arrival in range(100):
            line.arrivals.append(now())
            expiry.arm(loop, line.expire)
        assert line.timers == 1
        await asyncio.sleep(0.03)
        line.arrivals.append(now())
        expiry.arm(loop, line.expire)
        await line.expired.wait()
        assert now() - start >= 0.08
        assert 2 <= line.timers <= 4

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_the_timer_rests_while_nothing_waits_and_is_armed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        line, expiry = Line(), Expiry(0.01)
        loop = count_timers(line, monkeypatch)
        for timers in (1, 2):
            line.expired.clear()
            expiry.arm(loop, line.expire)
            await line.expired.wait()
            assert line.timers == timers

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_without_a_limit_there_is_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        line = Line()
        Expiry(math.inf).arm(count_timers(line, monkeypatch), line.expire)
        assert line.timers == 0

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_another_event_loop_has_its_own_timer() -> None:
    expiry = Expiry(0.01)

    async def leave() -> None:
        expiry.arm(asyncio.get_running_loop(), Line().expire)

    async def wait() -> None:
        line = Line()
        expiry.arm(asyncio.get_running_loop(), line.expire)
        await line.expired.wait()

    asyncio.run(leave())
    asyncio.run(asyncio.wait_for(wait(), 10))


def test_the_owner_of_a_timer_goes_before_the_timer_runs_out() -> None:
    async def scenario() -> None:
        line, expiry = Line(), Expiry(60)
        expiry.arm(asyncio.get_running_loop(), line.expire)
        reference = weakref.ref(line)
        del line
        assert reference() is None

    asyncio.run(scenario())
