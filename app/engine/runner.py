"""Model runs on threads, never on the event loop, with a bound on the rows that wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from app.errors import Overloaded

Result = TypeVar("Result")


class Runner:
    """
    A pool of threads. onnxruntime leaves the interpreter's lock while it runs, so threads use several cores.

    Rows count from the moment they are accepted until they are computed or their caller has gone.
    """

    def __init__(self, threads: int, max_queued_rows: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="model")
        self._limit = max_queued_rows
        self._rows = 0
        self._lock = threading.Lock()

    async def run(self, rows: int, call: Callable[[], Result]) -> Result:
        """
        What `call` gives, computed on a thread. If the caller is cancelled first, it is not computed.

        Raises Overloaded at once when the rows do not fit; a request always fits an idle runner.
        """
        with self._lock:
            if self._rows and self._rows + rows > self._limit:
                raise Overloaded(
                    f"{self._rows} rows are waiting and at most {self._limit} may; send the request again later",
                    headers={"Retry-After": "1"},
                )
            self._rows += rows
        future = self._pool.submit(call)
        future.add_done_callback(lambda done: self._release(rows, done))
        return await asyncio.wrap_future(future)

    def _release(self, rows: int, _: Future[Result]) -> None:
        with self._lock:
            self._rows -= rows

    def close(self) -> None:
        """Finish what was accepted, then end the threads."""
        self._pool.shutdown(wait=True)
