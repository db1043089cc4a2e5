"""
Answers that are written whole, where uvicorn would put them together bit by bit.

uvicorn's `send` is a coroutine for the head and one for the body. It looks at each header twice for characters that a
header must not have, and writes both parts by themselves. Where requests share a run that takes 10 µs of each, that
is a sixth of the request. An answer of a task is known as a whole, and so are its headers. Where nobody stands
between the application and uvicorn, and it is a uvicorn that was looked at, the two are written here; everywhere else
by `send`.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

KNOWN = ("0.54.",)
"""Versions of uvicorn whose cycle is as `write_whole` has it; with others, every answer goes the usual way."""

_known = version("uvicorn").startswith(KNOWN)


def uvicorns_cycle(send: Send) -> RequestResponseCycle | None:
    """What answers a request in uvicorn, if `send` is its own: a middleware's must be asked, whatever it does."""
    cycle = getattr(send, "__self__", None)
    return cycle if _known and type(cycle) is RequestResponseCycle else None


def write_whole(
    cycle: RequestResponseCycle, headers: Iterable[tuple[bytes, bytes]], content: bytes, *, together: bool
) -> bool:
    """
    Write an answer with status 200 and its length among the headers, as the cycle's `send` would in two calls.

    Head and body go out in one system call or, if not together, in one each: a client that sleeps on the same machine
    wakes at the first, while the second is made. False, with nothing written, where more is to be done: a line in the
    access log, a connection that ends, a client that reads too slowly or has gone.

    The headers must be such as HTTP allows: nobody looks at them again.
    """
    if not cycle.keep_alive or cycle.access_log or cycle.disconnected or cycle.flow.write_paused:
        return False
    lines = b"".join([b"%b: %b\r\n" % header for header in (*cycle.default_headers, *headers)])
    head = b"HTTP/1.1 200 OK\r\n%b\r\n" % lines
    if together:
        cycle.transport.writelines((head, content))
    else:
        cycle.transport.write(head)
        cycle.transport.write(content)
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.message_event.set()
    cycle.on_response()
    return True
