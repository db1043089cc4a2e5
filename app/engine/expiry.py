"""The timer for work that waits for a thread: it expires in time even if no thread becomes free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from app.times import now

Expire: TypeAlias = Callable[[float], float | None]
"""Fails everything that arrived until a time, and returns the arrival of the oldest that still waits, or None."""

MIN_DELAY_SECONDS = 0.001
"""The shortest time between two expiries: whatever is almost due then waits for the next one."""


class Expiry:
    """
    A timer on the event loop, armed only while something waits.

    It holds no reference to what it expires while it is not armed, so that an unloaded model goes at once.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop on which the timer is armed."""

    def arm(self, loop: asyncio.AbstractEventLoop, expire: Expire) -> None:
        """Make sure that the timer runs, since something waits."""
        if self._loop is not loop and self._seconds < float("inf"):
            self._loop = loop
            loop.call_later(self._seconds, self._fire, loop, expire)

    def _fire(self, loop: asyncio.AbstractEventLoop, expire: Expire) -> None:
        oldest = expire(now() - self._seconds)
        if oldest is None:
            self._loop = None
        else:
            loop.call_later(max(MIN_DELAY_SECONDS, oldest + self._seconds - now()), self._fire, loop, expire)
