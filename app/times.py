"""
The one clock of a request: when each part of its work ended.

The gate starts it, the endpoints mark it, and the queue adds the time that the request's rows waited and ran. The
Server-Timing header and the statistics of /v2 read it.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter as now

__all__ = ["REQUEST_TIMES", "RequestTimes", "now"]


class RequestTimes:
    """Seconds on the clock of `now`, at which each part ended, and seconds that the runs took."""

    __slots__ = ("compute", "computed", "decoded", "encoded", "queue", "received", "start")

    def __init__(self) -> None:
        self.start = self.received = self.decoded = self.computed = self.encoded = now()
        """`received`: the body is complete. `decoded`: it is a checked array. `computed`: the task has its result.
        `encoded`: the result is the bytes of the answer. Parts that a request does not have take no time."""
        self.queue = 0.0
        """Seconds that the request's rows waited for their runs."""
        self.compute = 0.0
        """Seconds that these runs took. A shared run counts in full: the request waited for all of it."""

    def server_timing(self) -> bytes:
        """Return the value of the Server-Timing header, in milliseconds. Source: W3C, "Server Timing", section 2.1."""
        return b"decode;dur=%.3f, queue;dur=%.3f, compute;dur=%.3f, encode;dur=%.3f, total;dur=%.3f" % (
            (self.decoded - self.received) * 1e3,
            self.queue * 1e3,
            self.compute * 1e3,
            (self.encoded - self.computed) * 1e3,
            (now() - self.start) * 1e3,
        )


REQUEST_TIMES: ContextVar[RequestTimes | None] = ContextVar("request_times", default=None)
"""The times of the request that the current asyncio task answers; None outside a request."""
