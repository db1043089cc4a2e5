"""
The event loop or a thread: the one policy for all work of a request.

A hand-over to a thread and back costs about 30 µs (`python -m bench.serving.anatomy`), and while the loop works, no
other request is read. So work that takes less than about a millisecond runs on the loop, and longer work on a thread.
Each kind of work has a size up to which it is short. Runs of a model are measured instead when it is loaded
(`app.engine.run_time`), with the bound of this module, and their threads belong to the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Returned = TypeVar("Returned")

KIBI, MEBI = 1024, 1024 * 1024

MAX_LOOP_RUN_SECONDS = 0.0008
"""The longest run of a model on the event loop."""


class LoopLimit:
    """The largest size of each kind of work on the event loop."""

    READ_JSON_BYTES = 512 * KIBI
    READ_BINARY_BYTES = 4 * MEBI
    READ_IMAGE_SIZE = 16 * KIBI
    """Bytes of a PNG file, or its pixels if there are more of them."""
    DECOMPRESS_BYTES = KIBI
    """Bytes of the compressed body, which may become a thousand times as many."""
    WRITE_JSON_NUMBERS = 32 * KIBI
    WRITE_BINARY_NUMBERS = MEBI
    WRITE_PNG_NUMBERS = 8 * KIBI
    DRAW_NUMBERS = 32 * KIBI
    """Random numbers."""


class Offload:
    """Threads for everything that is too long for the event loop, except the runs of models."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="formats")

    async def run(self, size: int, limit: int, call: Callable[[], Returned]) -> Returned:
        """Return what a call returns, made on the event loop if the size is within the limit, or else on a thread."""
        if size <= limit:
            return call()
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    def close(self) -> None:
        """Finish the accepted work, then end the threads."""
        self._pool.shutdown(wait=True)
