"""
Connections on uvicorn: the only file that knows its insides, as of 0.54.

Two things differ from uvicorn's own protocol. A request that cannot be parsed gets a problem document. And a complete
answer is written in one step: uvicorn's `send` is a coroutine for the head and one for the body, checks every header
twice, and writes both parts separately. That costs 5 to 10 µs of a small request's 140 (`python -m bench.serving` with
and without `write_response`), and 17 % of the answers in a second. With any other version of uvicorn, or if anything
wraps its `send`, `write_response` writes nothing and the answer goes out through `send`.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.errors import MalformedRequest
from app.server.ids import new_request_id
from app.server.problems import PROBLEM_JSON, problem_document

KNOWN_VERSIONS = ("0.54.",)
"""Versions of uvicorn whose request-response cycle `write_response` matches."""

UVICORN_VERSION = version("uvicorn")


class Connection(HttpToolsProtocol):
    """A connection to one client."""

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that httptools cannot parse, and close: nothing after them can be understood."""
        request_id = new_request_id()
        document = problem_document(MalformedRequest(f"expected an HTTP request, but: {msg}"), request_id)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", PROBLEM_JSON.encode()),
            (b"content-length", b"%d" % len(document)),
            (b"x-request-id", request_id),
            (b"connection", b"close"),
        ]
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + document)
        self.transport.close()


def write_response(
    send: Send,
    headers: Iterable[tuple[bytes, bytes]],
    content: bytes,
    *,
    together: bool,
    uvicorn_version: str = UVICORN_VERSION,
) -> bool:
    """
    Write a complete answer with status 200, as two calls of uvicorn's `send` would; return False if it cannot.

    Head and body go out in one system call or, unless `together`, in one each: a client that sleeps on the same machine
    then wakes at the first. Nothing is written, and False is returned, if uvicorn must do more: a line in the access
    log, a connection that ends, a client that reads too slowly or is gone. The headers must have their length among
    them and be valid: nothing checks them again.
    """
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or not uvicorn_version.startswith(KNOWN_VERSIONS):
        return False
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
