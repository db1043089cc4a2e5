"""
The event loop or a thread: the one policy for all work of a request.

A hand-over to a thread and back costs about 30 µs (`python -m bench.serving.anatomy`), and while the loop works, no
other request is read. So work that takes less than about a millisecond runs on the loop, and longer work on a thread.
Each kind of work has a size up to which it is short. Runs of a model are measured instead when it is loaded
(`app.engine.run_time`), with the bound of this module, and their threads belong to the queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, Generic, TypeVar

from app.engine.expiry import Expiry
from app.engine.threads import Threads
from app.errors import Expired, ServiceError
from app.times import now

Returned = TypeVar("Returned")

KIBI, MEBI = 1024, 1024 * 1024

CLOSE_SECONDS = 2.0
"""Seconds that accepted work has to finish at the end. Its callers are gone by then."""

MAX_LOOP_RUN_SECONDS = 0.0008
"""The longest run of a model on the event loop."""
MAX_SOLE_CORE_RUN_SECONDS = 0.002
"""
The longest one if there is no other core: a thread would take its time from the loop, and cost a hand-over. Other
requests wait for the core either way.
"""


class LoopLimit:
    """The largest size of each kind of work on the event loop."""

    READ_JSON_BYTES = 512 * KIBI
    READ_BINARY_BYTES = 4 * MEBI
    READ_TYPED_BYTES = 64 * KIBI
    """Bytes of numbers in messages of gRPC, each of which becomes a Python object for a moment."""
    READ_IMAGE_SIZE = 16 * KIBI
    """Bytes of a PNG file, or its pixels if there are more of them."""
    DECOMPRESS_BYTES = KIBI
    """Bytes of the compressed body, which may become a thousand times as many."""
    WRITE_JSON_NUMBERS = 32 * KIBI
    WRITE_BINARY_NUMBERS = MEBI
    WRITE_PNG_NUMBERS = 8 * KIBI
    CLIP_NUMBERS = 256 * KIBI
    DRAW_NUMBERS = 32 * KIBI
    """Random numbers."""


@dataclass(slots=True, eq=False)
class Job(Generic[Returned]):
    """A call that waits for a thread, and the future that its caller awaits."""

    call: Callable[[], Returned]
    since: float
    """Time of arrival on the clock of `app.times.now`."""
    result: asyncio.Future[Returned]

    def work(self) -> Callable[[], object]:
        """Make the call, and return the function that gives the caller its outcome on the event loop."""
        try:
            return partial(self.result.set_result, self.call())
        except ServiceError as error:
            return partial(self.result.set_exception, error.without_frames())
        except Exception as error:  # whatever it is, it belongs to the caller
            return partial(self.result.set_exception, error)


def _nothing() -> Any:
    return None


class Offload:
    """
    Threads for everything that is too long for the event loop, except the runs of models.

    Work that waits longer than `queue_seconds` for a thread fails, even if all threads are stuck.
    """

    def __init__(self, threads: int, queue_seconds: float = float("inf")) -> None:
        self._threads = Threads(threads, "formats")
        self._waiting: deque[Job[Any]] = deque()
        self._taking = Lock()
        self._expiry = Expiry(queue_seconds)

    async def run(self, size: int, limit: int, call: Callable[[], Returned]) -> Returned:
        """
        Return what a call returns, made on the event loop if the size is within the limit, or else on a thread.

        Whatever every request does compares its size itself, which saves a coroutine. Raises as `run_on_thread` does.
        """
        return call() if size <= limit else await self.run_on_thread(call)

    async def run_on_thread(self, call: Callable[[], Returned]) -> Returned:
        """Return what a call returns. Raises Expired if no thread was free in time, and any error of the call."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Returned] = loop.create_future()
        job = Job(call, now(), result)
        self._waiting.append(job)
        self._expiry.arm(loop, self._expire)
        self._threads.submit(self._work, loop)
        try:
            return await result
        finally:
            job.call = _nothing  # a job whose caller is gone may wait on; what it would read is freed now

    def close(self) -> None:
        """Finish the accepted work, then end the threads. Work that takes too long is left behind."""
        self._threads.close(CLOSE_SECONDS)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._taking:
            job = self._waiting.popleft() if self._waiting else None
        if job is None or job.result.done():  # expired, or the caller is gone
            return
        settle = job.work()
        with suppress(RuntimeError):  # the loop is closed: no caller is left
            loop.call_soon_threadsafe(lambda: job.result.done() or settle())

    def _expire(self, oldest: float) -> float | None:
        """Fail the work that arrived until a time. Return the arrival of the next that waits."""
        with self._taking:
            while self._waiting and self._waiting[0].since <= oldest:
                job = self._waiting.popleft()
                if not job.result.done():
                    job.result.set_exception(Expired("no thread was free in time; send the request again later"))
            return self._waiting[0].since if self._waiting else None
