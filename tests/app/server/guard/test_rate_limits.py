"""Callers are counted apart, in windows that begin with their first request."""

from __future__ import annotations

import threading

import pytest

from app.errors import StartupError, TooManyRequests
from app.server.guard.rate_limits import MIN_SWEPT_WINDOWS, RateLimits, Windows


class Clock:
    """A clock that a test moves."""

    time = 1000.0

    def __call__(self) -> float:
        """Return the time, in seconds."""
        return self.time


def allowed(limits: RateLimits, caller: str, requests: int) -> int:
    """Return the number of a caller's requests that pass."""
    passed = 0
    for _ in range(requests):
        try:
            limits.count(caller)
        except TooManyRequests:
            continue
        passed += 1
    return passed


def test_a_window_allows_its_number_of_requests() -> None:
    clock = Clock()
    limits = RateLimits("3/second", clock)
    assert allowed(limits, "alice", 10) == 3
    clock.time += 0.999
    assert allowed(limits, "alice", 10) == 0
    clock.time += 0.001
    assert allowed(limits, "alice", 10) == 3


def test_no_caller_uses_up_the_requests_of_another() -> None:
    limits = RateLimits("5/minute", Clock())
    assert allowed(limits, "alice", 1000) == 5
    assert allowed(limits, "bob", 5) == 5
    assert allowed(limits, "alice", 1) == 0


def test_every_limit_counts() -> None:
    clock = Clock()
    limits = RateLimits("2/second;3/hour", clock)
    assert allowed(limits, "alice", 10) == 2
    clock.time += 1
    assert allowed(limits, "alice", 10) == 1
    clock.time += 1
    with pytest.raises(TooManyRequests, match="at most 3 requests per hour") as caught:
        limits.count("alice")
    assert caught.value.headers == {
        "Retry-After": "3598",
        "RateLimit-Policy": '"hour";q=3;w=3600',
        "RateLimit": '"hour";r=0;t=3598',
    }


def test_retrying_after_the_named_time_succeeds() -> None:
    clock = Clock()
    limits = RateLimits("1/minute", clock)
    limits.count("alice")
    clock.time += 12.5
    with pytest.raises(TooManyRequests) as caught:
        limits.count("alice")
    clock.time += float(caught.value.headers["Retry-After"])
    limits.count("alice")


def test_an_unknown_limit_stops_the_start() -> None:
    with pytest.raises(StartupError, match="HOURGLASS_RATE_LIMIT: expected limits such as 100/second, got 'many'"):
        RateLimits("many")


def test_ended_windows_are_forgotten() -> None:
    clock = Clock()
    windows = Windows(clock)
    for caller in range(10 * MIN_SWEPT_WINDOWS):
        windows.incr(str(caller), 1)
        clock.time += 0.01
    assert len(windows) <= MIN_SWEPT_WINDOWS + 1


def test_windows_are_what_the_package_expects_of_a_storage() -> None:
    clock = Clock()
    windows = Windows(clock)
    assert (windows.get("a"), windows.get_expiry("a")) == (0, 1000)
    assert [windows.incr("a", 5), windows.incr("a", 5, 2)] == [1, 3]
    assert (windows.get("a"), windows.get_expiry("a"), windows.check()) == (3, 1005, True)
    windows.clear("a")
    assert windows.get("a") == 0
    windows.incr("b", 5)
    clock.time += 5
    assert (windows.get("b"), windows.get_expiry("b")) == (0, 1005)
    assert (windows.reset(), len(windows)) == (1, 0)


def test_counting_starts_no_thread() -> None:
    before = threading.active_count()
    allowed(RateLimits("5/minute"), "alice", 100)
    assert threading.active_count() == before
