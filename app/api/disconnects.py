"""Clients that hang up before their answer: what waits for them is cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive

PATIENCE = 0.1
"""Seconds. A request that is answered sooner is never listened for, which saves it a tenth of a small one's time."""

Task = asyncio.Task[Any]


class Watch:
    """
    Looks ten times a second, while there are requests, for those that have waited, and listens for their client.

    ASGI tells of a client that has gone only to whoever awaits `receive`, which takes a task of its own a request.
    """

    def __init__(self) -> None:
        self._new: dict[Task, Receive] = {}
        self._waiting: dict[Task, Receive] = {}
        """Those that the last look found; the next one listens for the clients of what is left of them."""
        self._listeners: dict[Task, Task] = {}
        self._gone: set[Task] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, receive: Receive) -> Task:
        """From now on the current task is cancelled when its client goes. Its body must have been read."""
        task = asyncio.current_task()
        assert task is not None
        self._new[task] = receive
        if self._timer is None:
            self._timer = task.get_loop().call_later(PATIENCE, self._look)
        return task

    def remove(self, task: Task) -> None:
        """The request has its answer."""
        if self._new.pop(task, None) is None:
            self._waiting.pop(task, None)
            if listener := self._listeners.pop(task, None):
                listener.cancel()

    def anybody_waits(self) -> bool:
        """Whether there are requests that have no answer yet."""
        return bool(self._new or self._waiting)

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
        for task, receive in self._waiting.items():
            self._listeners[task] = task.get_loop().create_task(self._listen(task, receive))
        self._waiting, self._new = self._new, {}
        if self._waiting:
            self._timer = next(iter(self._waiting)).get_loop().call_later(PATIENCE, self._look)

    async def _listen(self, task: Task, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone.add(task)
        task.cancel()
