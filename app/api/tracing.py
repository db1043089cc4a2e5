"""
What every request is told of itself: its id in `X-Request-ID`, and in `Server-Timing` where its time went.

Source: W3C, "Server Timing", section 2.1: durations are in milliseconds
"""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Awaitable
from time import perf_counter
from typing import Any

from starlette.types import Message, Scope, Send

from app.engine.times import RunTimes

GIVEN_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._~+/=:@-]{0,127}")
"""An id that a client or a proxy may give a request: what a log can hold as it is. Others are replaced."""
KEY = "hourglass.trace"

_process = secrets.token_hex(6).encode()
_count = itertools.count(1)


def new_id() -> bytes:
    """An id that no other request of any process has."""
    return b"%s-%x" % (_process, next(_count))


class Trace(RunTimes):
    """One request: its headers and its id, and the seconds that its parts took."""

    __slots__ = ("_send", "decode", "encode", "headers", "id", "start")

    def __init__(self, scope: Scope) -> None:
        self.queue = self.compute = 0.0  # as the class above has it, in one call less
        self.start = perf_counter()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        """By their names in lower case; of a name that comes twice, the last."""
        given = self.headers.get(b"x-request-id")
        usable = given is not None and GIVEN_ID.fullmatch(given)
        self.id: bytes = given if given and usable else new_id()
        self.decode = 0.0
        """From the body's bytes to a checked array."""
        self.encode = 0.0
        """From the result to the answer's bytes."""
        scope[KEY] = self

    def announcing(self, send: Send) -> Send:
        """The same `send`, which adds the two headers."""
        self._send = send
        return self._announce

    def _announce(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *self.announcements()]
        return self._send(message)

    def announcements(self) -> tuple[tuple[bytes, bytes], ...]:
        """The two headers."""
        return (b"x-request-id", self.id), (b"server-timing", self.timing())

    def timing(self) -> bytes:
        """The value of Server-Timing."""
        return b"decode;dur=%.3f, queue;dur=%.3f, compute;dur=%.3f, encode;dur=%.3f, total;dur=%.3f" % (
            self.decode * 1e3,
            self.queue * 1e3,
            self.compute * 1e3,
            self.encode * 1e3,
            (perf_counter() - self.start) * 1e3,
        )


def trace_of(scope: Scope) -> Trace:
    """The trace of a request, begun where none was."""
    found: Any = scope.get(KEY)
    return found if isinstance(found, Trace) else Trace(scope)
