"""
Threads that take calls from a queue.

The process ends even if a call does not: the threads are daemons, and `close` waits for a limited time. A
ThreadPoolExecutor's threads would be joined at the end of the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

import structlog

from app.times import now

log = structlog.get_logger(__name__)


class Threads:
    """A fixed number of threads, which start with the first call."""

    def __init__(self, count: int, name: str) -> None:
        self._calls: SimpleQueue[tuple[Callable[..., object], tuple[object, ...]] | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, name=f"{name}_{index}", daemon=True) for index in range(count)]
        self._started = False
        self._closed = False

    def submit(self, call: Callable[..., object], *arguments: object) -> None:
        """Make a call on the next free thread. Raises RuntimeError after `close`."""
        if self._closed:
            raise RuntimeError("the threads are closed")
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()
        self._calls.put((call, arguments))

    def close(self, seconds: float) -> bool:
        """Finish the accepted calls and end the threads. Return False if they need more time than this."""
        if not self._closed:
            self._closed = True
            for _thread in self._threads:
                self._calls.put(None)
        end = now() + seconds
        started = self._threads if self._started else []
        for thread in started:
            thread.join(max(0.0, end - now()))
        return not any(thread.is_alive() for thread in started)

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            call, arguments = item
            try:
                call(*arguments)
            except Exception:  # a bug; the thread must serve the next call
                log.exception("unexpected exception on a thread")
            del item, call, arguments  # an idle thread keeps no arrays alive
