"""
Rate limits of callers, with the package `limits`.

This module is imported only if a limit is set, because the package adds 4 % to what the server imports. The
package's own storage in memory starts a thread as often as every 10 ms, to remove what ended, so counts are kept here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from limits import RateLimitItem, parse_many
from limits.storage.base import Storage
from limits.strategies import FixedWindowRateLimiter

from app.errors import StartupError, TooManyRequests
from app.times import now

MIN_SWEPT_WINDOWS = 1024
"""Ended windows are removed when there are twice as many windows as after the last time, and at least this many."""


class Windows(Storage):
    """The requests of each caller in its current window. Only one thread may use it."""

    STORAGE_SCHEME = None
    base_exceptions = ValueError

    def __init__(self, clock: Callable[[], float] = now) -> None:
        super().__init__()
        self._clock = clock
        self._windows: dict[str, list[float]] = {}
        """By caller and limit: the end of the window, and its number of requests."""
        self._swept_size = MIN_SWEPT_WINDOWS

    def __len__(self) -> int:
        return len(self._windows)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count requests and return the number of those in the window; begin one of `expiry` seconds if none is."""
        time = self._clock()
        window = self._windows.get(key)
        if window is None or window[0] <= time:
            if len(self._windows) >= self._swept_size:
                self._sweep(time)
            window = self._windows[key] = [time + expiry, 0]
        window[1] += amount
        return int(window[1])

    def get(self, key: str) -> int:
        """Return the number of requests in the window."""
        window = self._windows.get(key)
        return int(window[1]) if window and window[0] > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """Return the end of the window, on the clock."""
        time = self._clock()
        window = self._windows.get(key)
        return max(time, window[0]) if window else time

    def clear(self, key: str) -> None:
        """Forget a window."""
        self._windows.pop(key, None)

    def reset(self) -> int:
        """Forget all windows and return their number."""
        count = len(self._windows)
        self._windows.clear()
        return count

    def check(self) -> bool:
        """Return True: a dictionary always works."""
        return True

    def _sweep(self, time: float) -> None:
        self._windows = {key: window for key, window in self._windows.items() if window[0] > time}
        self._swept_size = max(MIN_SWEPT_WINDOWS, 2 * len(self._windows))


class RateLimits:
    """
    The limits of each caller: a key or, without keys, an address.

    Each caller has windows of its own, which begin with its first request, so that no caller uses up another's.
    """

    def __init__(self, limits: str, clock: Callable[[], float] = now) -> None:
        """Read limits such as `100/second` or `100/second;10000/hour`. Raises StartupError."""
        try:
            self._limits = sorted(parse_many(limits))
        except ValueError as error:
            raise StartupError(f"HOURGLASS_RATE_LIMIT: expected limits such as 100/second, got {limits!r}") from error
        self._clock = clock
        self._windows = Windows(clock)
        self._limiter = FixedWindowRateLimiter(self._windows)

    def count(self, caller: str) -> None:
        """Count a request of a caller. Raises TooManyRequests beyond a limit."""
        for limit in self._limits:
            if not self._limiter.hit(limit, caller):
                self._refuse(limit, caller)

    def _refuse(self, limit: RateLimitItem, caller: str) -> None:
        seconds = max(1, math.ceil(self._windows.get_expiry(limit.key_for(caller)) - self._clock()))
        unit = limit.GRANULARITY.name
        policy = f'"{unit}";q={limit.amount};w={limit.get_expiry()}'
        raise TooManyRequests(
            f"expected at most {limit.amount} requests per {unit}, got more; send the request again in {seconds} s",
            headers={
                "Retry-After": str(seconds),
                "RateLimit-Policy": policy,
                "RateLimit": f'"{unit}";r=0;t={seconds}',
            },
        )
