"""Work runs on the event loop up to its limit, and on a thread beyond it."""

from __future__ import annotations

import asyncio
import threading
import weakref
from functools import partial
from typing import Any

import numpy as np
import pytest

from app.engine import offload as offload_module
from app.engine.offload import Offload
from app.errors import Expired, InvalidInput


@pytest.mark.parametrize(("size", "limit", "on_loop"), [(0, 0, True), (8, 8, True), (9, 8, False), (0, -1, False)])
def test_work_above_the_limit_runs_on_a_thread(size: int, limit: int, on_loop: bool) -> None:
    offload = Offload(1)
    thread = asyncio.run(offload.run(size, limit, threading.current_thread))
    offload.close()
    assert (thread is threading.main_thread()) == on_loop
    assert thread.name.startswith("formats") != on_loop


def test_closing_finishes_accepted_work_and_ends_the_threads() -> None:
    async def scenario() -> None:
        offload, gate = Offload(1), threading.Event()
        work = asyncio.create_task(offload.run(1, 0, lambda: gate.wait(30) and threading.current_thread()))
        await asyncio.sleep(0)
        threading.Timer(0.05, gate.set).start()
        offload.close()
        thread = await work
        assert isinstance(thread, threading.Thread)
        assert not thread.is_alive()

    asyncio.run(scenario())


def test_work_expires_in_time_while_all_threads_are_stuck() -> None:
    async def scenario() -> None:
        offload, gate = Offload(1, queue_seconds=0.02), threading.Event()
        stuck = asyncio.create_task(offload.run(1, 0, lambda: gate.wait(30)))
        await asyncio.sleep(0)
        calls: list[int] = []
        for _again in range(2):
            with pytest.raises(Expired, match="no thread was free in time"):
                await offload.run(1, 0, lambda: calls.append(1))
        assert await offload.run(1, 1, lambda: 3) == 3  # on the event loop
        gate.set()
        assert await stuck
        assert await offload.run(1, 0, lambda: 4) == 4
        assert calls == []
        offload.close()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_the_caller_gets_the_error_of_its_work() -> None:
    offload = Offload(1)
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(offload.run(1, 0, lambda: int("one")))
    offload.close()


def test_work_whose_caller_left_is_not_done() -> None:
    async def scenario() -> None:
        offload, gate, calls = Offload(1), threading.Event(), list[int]()
        first = asyncio.create_task(offload.run(1, 0, lambda: gate.wait(30)))
        await asyncio.sleep(0)
        gone = asyncio.create_task(offload.run(1, 0, lambda: calls.append(1)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        gate.set()
        await first
        offload.close()
        assert calls == []

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_work_whose_caller_left_is_freed_while_the_threads_are_busy() -> None:
    async def scenario() -> None:
        offload, gate = Offload(1), threading.Event()
        first = asyncio.create_task(offload.run(1, 0, lambda: gate.wait(30)))
        await asyncio.sleep(0)
        body = np.zeros(9)
        watched = weakref.ref(body)
        gone = asyncio.create_task(offload.run(1, 0, partial(np.sum, body)))
        del body
        await asyncio.sleep(0)
        assert watched() is not None
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        del gone
        await asyncio.sleep(0)
        assert watched() is None
        gate.set()
        await first
        offload.close()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_the_error_of_a_client_does_not_keep_the_arrays_of_its_work() -> None:
    async def scenario() -> None:
        offload = Offload(1)
        arrays: list[Any] = []

        def fail() -> None:
            array = np.zeros(9)
            arrays.append(weakref.ref(array))
            raise InvalidInput("nine zeros") from ValueError("inner")

        with pytest.raises(InvalidInput) as raised:
            await offload.run(1, 0, fail)
        assert raised.value.__cause__ is None
        assert arrays[0]() is None
        offload.close()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_closing_does_not_wait_for_work_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offload_module, "CLOSE_SECONDS", 0.05)

    async def scenario() -> None:
        offload, gate = Offload(1), threading.Event()
        stuck = asyncio.create_task(offload.run(1, 0, lambda: gate.wait(30)))
        await asyncio.sleep(0)
        offload.close()
        assert not stuck.done()
        gate.set()
        assert await stuck

    asyncio.run(asyncio.wait_for(scenario(), 30))
