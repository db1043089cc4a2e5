"""
The one clock of a request: when each part of its work ended.

The gate starts it, the endpoints mark it, and the queue adds the time that the request's rows waited and ran. The
Server-Timing header and the statistics of /v2 are made from it.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter as now

__all__ = ["REQUEST_TIMES", "RequestTimes", "now"]


class RequestTimes:
    """Times on the clock of `now`, in seconds, and durations. Parts that a request does not have stay 0."""

    start = 0.0
    received = 0.0
    """The body is complete."""
    decoded = 0.0
    """The body is a checked array."""
    computed = 0.0
    """The task has its result."""
    encoded = 0.0
    """The result is the bytes of the answer."""
    queue = 0.0
    """Seconds that the request's rows waited for their runs."""
    compute = 0.0
    """Seconds that these runs took. A shared run counts in full: the request waited for all of it."""


REQUEST_TIMES: ContextVar[RequestTimes | None] = ContextVar("request_times", default=None)
"""The times of the request that the current asyncio task answers; None outside a request."""
