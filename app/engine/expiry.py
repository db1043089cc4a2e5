"""The timer for work that waits for a thread: it expires in time even if no thread becomes free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias
from weakref import WeakMethod

from app.times import now

Expire: TypeAlias = Callable[[float], float | None]
"""Fails everything that arrived until a time, and returns the arrival of the oldest that still waits, or None."""

MIN_DELAY_SECONDS = 0.001
"""The shortest time between two expiries: whatever is almost due then waits for the next one."""


class Expiry:
    """
    A timer on the event loop, armed only while something waits.

    It holds only a weak reference to what it expires, so that an unloaded model goes at once, though its last timer
    has not run out: whatever waits is held by its caller.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop on which the timer is armed."""

    def arm(self, loop: asyncio.AbstractEventLoop, expire: Expire) -> None:
        """Make sure that the timer runs, since something waits; `expire` is a method of its owner."""
        if self._loop is not loop and self._seconds < float("inf"):
            self._loop = loop
            loop.call_later(self._seconds, self._fire, loop, WeakMethod(expire))

    def _fire(self, loop: asyncio.AbstractEventLoop, method: WeakMethod[Expire]) -> None:
        expire = method()
        oldest = expire(now() - self._seconds) if expire else None
        if oldest is None:
            self._loop = None
        else:
            loop.call_later(max(MIN_DELAY_SECONDS, oldest + self._seconds - now()), self._fire, loop, method)
