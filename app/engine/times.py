"""How long a request's rows waited for their runs, and how long these took: gathered where they run."""

from __future__ import annotations

from contextvars import ContextVar


class RunTimes:
    """Seconds of one request, added up over its runs."""

    __slots__ = ("compute", "queue")

    def __init__(self) -> None:
        self.queue = 0.0
        self.compute = 0.0
        """Of runs that are shared, all of each: it is what the request waited for."""


RUN_TIMES: ContextVar[RunTimes | None] = ContextVar("run_times", default=None)
"""Of the request that the current task answers; None where nobody asks."""
