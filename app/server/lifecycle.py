"""The phase of a serving process, which the gate and the probes read, and the server sets."""

from __future__ import annotations

from collections.abc import Callable


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
        self.cut_off = False
        """True once the time of accepted requests is over: those that are cancelled now get an error."""

    def start(self) -> None:
        """Become ready, unless a signal came first."""
        self.ready = not self.draining

    def drain(self) -> None:
        """Refuse the readiness probe from now on, and end connections after their next answer."""
        self.draining = True
        self.ready = False
