"""The phase of a serving process, which the gate and the probes read, and the server sets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Companion(Protocol):
    """Another listener of the process, beside uvicorn's: it starts, stops listening and ends with it."""

    async def start(self, tasks: set[asyncio.Task[None]]) -> None:
        """Listen. The tasks of its requests are among `tasks`, until they end. Raises StartupError."""

    def stop_listening(self) -> None:
        """Take no new requests; those in `tasks` go on."""

    async def close(self) -> None:
        """End: no request is left."""


class Lifecycle:
    """
    A process starts, is ready, drains, and ends.

    A draining process still accepts and answers requests, but is not ready: a load balancer sends no new ones. Each
    answer ends its connection, so that clients move to another process. Signal handlers and threads may call the
    methods.
    """

    def __init__(self) -> None:
        self.ready = False
        """True once the models are loaded, until the process drains."""
        self.draining = False
        self.on_reload: Callable[[], None] | None = None
        """Called after SIGHUP, on the event loop's thread."""
        self.companions: list[Companion] = []
        """The other listeners of the process."""
        self.cut_off = False
        """True once the time of accepted requests is over: those that are cancelled now get an error."""

    def start(self) -> None:
        """Become ready, unless a signal came first."""
        self.ready = not self.draining

    def drain(self) -> None:
        """Refuse the readiness probe from now on, and end connections after their next answer."""
        self.draining = True
        self.ready = False
