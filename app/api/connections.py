"""HTTP connections as uvicorn serves them, with two differences: answers in one piece, and what is no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.api.problems import PROBLEM_JSON, problem_document
from app.api.tracing import new_id
from app.errors import MalformedRequest

PIECE = "hourglass.piece"


class Pieces:
    """
    A transport whose writes can be held, so that they go out together.

    uvicorn writes an answer's head, then its body. On a small answer each of these system calls takes as long as
    all the numbers in it.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] | None = None
        # What uvicorn calls of every request is found here; all else by __getattr__.
        self._write = transport.write
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, or hold what is to be written."""
        if self._held is None:
            self._write(data)
        else:
            self._held.append(data)

    def hold(self) -> Callable[[], None]:
        """Hold what is written from now on, until the function that is returned is called."""
        self._held = []
        return self.release

    def release(self) -> None:
        """Write what was held, as one piece."""
        held, self._held = self._held, None
        if held:
            self._transport.writelines(held)

    def close(self) -> None:
        """Write what was held, then close."""
        self.release()
        self._transport.close()


def in_one_piece(scope: Scope) -> Callable[[], None] | None:
    """
    Hold what is sent in answer to a request, until the function that is returned is called; None where the server
    cannot.

    For answers whose body follows at once: everything that the connection writes meanwhile is held.
    """
    hold: Callable[[], Callable[[], None]] | None = scope.get(PIECE)
    return hold() if hold else None


class Connection(HttpToolsProtocol):
    """A connection to one client."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called when the client is there."""
        pieces = Pieces(transport)
        self._hold = pieces.hold
        super().connection_made(cast(asyncio.Transport, pieces))

    def on_message_begin(self) -> None:
        """Called where a request begins: its scope says how to answer in one piece."""
        super().on_message_begin()
        self.scope[PIECE] = self._hold  # type: ignore[literal-required]

    def send_400_response(self, msg: str) -> None:
        """Called where httptools cannot parse what came: nothing after it can be understood, so the connection ends."""
        request_id = new_id()
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
