"""Clients that hang up before their answer: what waits for them is cancelled."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import Receive

PATIENCE = 0.1
"""Seconds. A request that is answered sooner is never watched: to watch costs as much as a small model's run."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A request that is not answered yet."""

    task: asyncio.Task[None]
    receive: Receive
    looked_at: bool = False
    """True from the second look on: it has waited for PATIENCE at least."""
    watcher: asyncio.Task[None] | None = None


class Watch:
    """
    Looks ten times a second, while there are requests, for those that have waited, and listens for their client.

    ASGI tells of a client that has gone only to whoever awaits `receive`, which takes a task of its own a request.
    """

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Task[None], Waiting] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._gone: set[asyncio.Task[None]] = set()

    def add(self, receive: Receive) -> Waiting:
        """From now on the current task is cancelled when its client goes. Its body must have been read."""
        task = asyncio.current_task()
        assert task is not None
        waiting = self._waiting[task] = Waiting(task, receive)
        if self._timer is None:
            self._timer = task.get_loop().call_later(PATIENCE, self._look)
        return waiting

    def remove(self, waiting: Waiting) -> None:
        """The request has its answer."""
        del self._waiting[waiting.task]
        if waiting.watcher:
            waiting.watcher.cancel()

    def has_gone(self) -> bool:
        """Whether the current task was cancelled since its client has gone; said once."""
        task = asyncio.current_task()
        if task not in self._gone:
            return False
        self._gone.discard(task)
        task.uncancel()
        return True

    def _look(self) -> None:
        self._timer = None
        for waiting in self._waiting.values():
            if waiting.looked_at and waiting.watcher is None:
                waiting.watcher = waiting.task.get_loop().create_task(self._listen(waiting))
            waiting.looked_at = True
        if self._waiting:
            loop = next(iter(self._waiting)).get_loop()
            self._timer = loop.call_later(PATIENCE, self._look)

    async def _listen(self, waiting: Waiting) -> None:
        while (await waiting.receive())["type"] != "http.disconnect":
            pass
        if waiting.task in self._waiting:
            self._gone.add(waiting.task)
            waiting.task.cancel()
