"""Work runs on the event loop up to its limit, and on a thread beyond it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from app.engine.offload import Offload


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
