"""Threads, bounds, cancellation."""

from __future__ import annotations

import asyncio
import threading

import pytest

from app.engine.runner import Runner
from app.errors import Overloaded


def test_what_does_not_fit_is_refused_at_once_and_told_when_to_come_back() -> None:
    gate = threading.Event()

    async def scenario() -> None:
        runner = Runner(threads=1, max_queued_rows=10)
        waiting = asyncio.ensure_future(runner.run(8, gate.wait))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as caught:
            await runner.run(3, lambda: None)
        assert caught.value.headers == {"Retry-After": "1"}
        fits = asyncio.ensure_future(runner.run(2, lambda: "done"))
        gate.set()
        assert await waiting is True
        assert await fits == "done"
        assert await runner.run(1000, lambda: "alone") == "alone"  # an idle runner takes any request
        runner.close()

    asyncio.run(scenario())


def test_a_cancelled_request_is_not_computed_and_frees_its_rows() -> None:
    gate = threading.Event()
    computed: list[str] = []

    async def scenario() -> None:
        runner = Runner(threads=1, max_queued_rows=10)
        first = asyncio.ensure_future(runner.run(5, gate.wait))
        second = asyncio.ensure_future(runner.run(5, lambda: computed.append("second")))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        third = asyncio.ensure_future(runner.run(5, lambda: computed.append("third")))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, third)
        runner.close()

    asyncio.run(scenario())
    assert computed == ["third"]


def test_an_error_reaches_its_own_caller_and_frees_its_rows() -> None:
    async def scenario() -> None:
        runner = Runner(threads=1, max_queued_rows=1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await runner.run(1, lambda: 1 // 0)
        assert await runner.run(1, lambda: 7) == 7
        runner.close()

    asyncio.run(scenario())
