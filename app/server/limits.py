"""The open connections of a process: how many there may be, and how long each may wait for its client."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import structlog

from app.server.budget import Budget
from app.server.refusals import Refusal

log = structlog.get_logger(__name__)

WATCH = "hourglass.connections"
"""The key of the ConnectionWatch in the state of the application's lifespan."""
LINGER_SECONDS = 2.0
"""Time to read and drop what a refused client still sends: closing at once could destroy the answer on its way."""
MAX_LINGERING = 256
"""Refused connections that linger; more are closed at once."""
SWEEP_SECONDS = 1.0
SWEEPS_PER_LIMIT = 4
"""A limit shorter than four seconds makes the sweeps more frequent."""

OnRefusal = Callable[[Refusal], object]


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of each connection, and their number. No seconds: no limit."""

    max_connections: int = 4096
    max_head_bytes: int = 65_536
    max_headers: int = 100
    head_seconds: float = 60
    body_seconds: float = 60
    write_seconds: float = 60
    keep_alive_seconds: float = 75


class Phase(Enum):
    """The event that a connection waits for."""

    HEAD = "head"
    """The first byte of a request, or the rest of its head."""
    BODY = "body"
    """The rest of a body."""
    ANSWER = "answer"
    """The client's reading of an answer."""
    REFUSED = "refused"
    """The end of what a refused client sends."""
    IDLE = "next request"
    """The next request."""
    OTHER = "other"
    """The server itself."""


class Watched(Protocol):
    """A connection, as the watch sees it."""

    def progress(self) -> tuple[Phase, object]:
        """Return the event that the connection waits for, and a mark that differs after any progress towards it."""

    def expire(self, phase: Phase) -> None:
        """End the connection, which has waited too long."""


class ConnectionWatch:
    """
    The open connections and their waiting times.

    One timer looks at all of them each second. So a request needs no timer of its own, and a limit may be exceeded by
    two seconds.
    """

    def __init__(
        self, limits: ConnectionLimits, budget: Budget | None = None, on_refusal: OnRefusal | None = None
    ) -> None:
        self.limits = limits
        self.budget = budget or Budget()
        self.on_refusal: OnRefusal = on_refusal or (lambda _: None)
        """Called with each request that a connection refuses before the application has it."""
        self._seconds = {
            Phase.HEAD: limits.head_seconds,
            Phase.BODY: limits.body_seconds,
            Phase.ANSWER: limits.write_seconds,
            Phase.IDLE: limits.keep_alive_seconds,
            Phase.REFUSED: LINGER_SECONDS,
            Phase.OTHER: 0.0,
        }
        self._interval = _sweep_interval(self._seconds.values())
        self._waits: dict[Watched, tuple[Phase, object, float]] = {}
        """The phase of each connection, its mark, and when a sweep first saw both."""
        self._refused: set[Watched] = set()
        self._turned_away = 0
        """Connections beyond `max_connections` since the last sweep."""
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, connection: Watched) -> bool:
        """Watch a new connection; return False if there are too many, and this one must be refused."""
        loop = asyncio.get_running_loop()
        self._waits[connection] = (Phase.HEAD, None, loop.time())
        if self._timer is None:
            self._timer = loop.call_later(self._interval, self._sweep_again, loop)
        admitted = len(self._waits) - len(self._refused) <= self.limits.max_connections
        self._turned_away += not admitted
        return admitted

    def may_linger(self, connection: Watched) -> bool:
        """Count a connection as refused; return False if it must be closed at once."""
        self._refused.add(connection)
        return len(self._refused) <= MAX_LINGERING

    def remove(self, connection: Watched) -> None:
        """Forget a connection that is closed."""
        self._waits.pop(connection, None)
        self._refused.discard(connection)

    def sweep(self, now: float) -> None:
        """End every connection whose mark has been the same for as long as its phase may last."""
        expired: Counter[str] = Counter()
        for connection, (phase, mark, since) in list(self._waits.items()):
            current_phase, current_mark = connection.progress()
            if current_phase is not phase or current_mark != mark:
                self._waits[connection] = (current_phase, current_mark, now)
            elif 0 < self._seconds[phase] <= now - since:
                connection.expire(phase)
                expired[phase.value] += phase not in (Phase.IDLE, Phase.REFUSED)
        if expired.total():
            log.info("slow connections closed", **{f"waiting_for_{phase}": count for phase, count in expired.items()})
        if self._turned_away:
            log.warning("connections refused", count=self._turned_away, max_connections=self.limits.max_connections)
            self._turned_away = 0

    def _sweep_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self.sweep(loop.time())
        if self.budget.sweep() or self._waits:
            self._timer = loop.call_later(self._interval, self._sweep_again, loop)


def unsent_bytes(sock: socket.socket | None) -> int:
    """
    Return the bytes that the kernel holds until the client has room for them; 0 where the kernel does not say.

    The kernel takes megabytes at once. Without this number, a slow client would seem to stand still between two of its
    gulps. Source: tcp(7), SIOCOUTQ
    """
    if sock is None or sys.platform != "linux":
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:  # it is closed
        return 0


def reset_on_close(sock: socket.socket | None) -> None:
    """Let the kernel drop what the client has not read when the connection is closed, instead of holding it on."""
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # on, 0 seconds


def _sweep_interval(limits: Iterable[float]) -> float:
    """Return the seconds between two sweeps."""
    return min([SWEEP_SECONDS, *(seconds / SWEEPS_PER_LIMIT for seconds in limits if seconds)])
