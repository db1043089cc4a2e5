"""
Connections on uvicorn: the only file that knows its insides, as of 0.54.

Unlike uvicorn's own protocol, it limits heads, bodies and the reading of answers (`app.server.limits`), answers what it
refuses with a problem document, and ignores offers of other protocols. And it writes a complete answer in one step,
where uvicorn's two coroutines check every header twice: that saves 5 to 10 µs of a small request's 140, and gives 17 %
more answers in a second (`python -m bench.serving` without `write_response`). With any other version of uvicorn, or if
anything wraps its `send`, `write_response` writes nothing and the answer goes out through `send`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import unquote

import httptools
from starlette.types import Send
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import MalformedRequest, Overloaded, ServiceError
from app.server.cycle import Cycle
from app.server.heads import check_head, head_too_large, head_without_offer, origin_form, refusal
from app.server.ids import new_request_id
from app.server.limits import WATCH, ConnectionLimits, ConnectionWatch, Phase, reset_on_close, unsent_bytes
from app.server.problems import problem_application, problem_bytes
from app.server.refusals import RequestTimeout

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

KNOWN_VERSIONS = ("0.54.",)
"""Versions of uvicorn whose request-response cycle `write_response` matches."""

UVICORN_VERSION = version("uvicorn")

MAX_LINGER_BYTES = 1024 * 1024
"""Bytes that are read and dropped after a refusal."""


class Connection(HttpToolsProtocol):
    """A connection to one client."""

    watch: ConnectionWatch
    limits: ConnectionLimits
    cycle: Cycle
    pipeline: deque[tuple[Cycle, ASGI3Application]]  # type: ignore[assignment]
    refused = False
    """True once a request was refused: whatever follows is dropped."""
    head_bytes_left: int
    """Bytes in which the current head must end; or, within a body, the line of a chunk or the trailers."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless too many connections are open."""
        super().connection_made(transport)
        self.watch = self.app_state.get(WATCH) or ConnectionWatch(ConnectionLimits())
        self.limits = limits = self.watch.limits
        self.head_bytes_left = limits.max_head_bytes
        self.url = b""
        if not self.watch.admit(self):
            too_many = f"at most {limits.max_connections} connections may be open; send the request again later"
            self.refuse(Overloaded(too_many, headers={"Retry-After": "1"}))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self.watch.remove(self)

    def data_received(self, data: bytes) -> None:
        """Parse what arrives, in pieces in which a head must end: a head is refused before it is whole."""
        if self.refused:
            return self._drop(data)
        try:
            if len(data) >= self.head_bytes_left:
                return self._parse_pieces(data)
            self.head_bytes_left -= len(data)
            self._parse(data)
        except httptools.HttpParserError as error:
            self.logger.warning("Invalid HTTP request received.")
            self.refuse(refusal(error))
        return None

    def on_headers_complete(self) -> None:
        """Check the head, and start to answer the request. An offer of another protocol is taken out of it first."""
        parser = self.parser
        if parser.should_upgrade():
            if parser.get_method() != b"CONNECT":
                return
            raise MalformedRequest("expected a request to this server, got CONNECT")
        self.head_bytes_left, version = self.limits.max_head_bytes, parser.get_http_version()
        check_head(version, self.headers, self.limits.max_headers)
        if self.url[:1] != b"/":
            self.url, self.headers[:] = origin_form(self.url, parser.get_method(), self.headers)
        self._begin(parser.get_method().decode("ascii"), version)
        self.headers = []  # trailers do not join the headers that the application has

    def on_body(self, body: bytes) -> None:
        """Add to the request's body."""
        self.head_bytes_left, cycle = self.limits.max_head_bytes, self.cycle
        if not cycle.response_complete and cycle.add_body(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """End the request's body, unless httptools only takes the message for complete because of an offer."""
        if not self.parser.should_upgrade():
            self.cycle.end_body()

    def on_response_complete(self) -> None:
        """Start the next request of the pipeline. Unlike uvicorn, start no timer: `watch` ends idle connections."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                cycle, app = self.pipeline.pop()
                cycle.start(app, self.loop, self.tasks)

    def progress(self) -> tuple[Phase, object]:
        """Return what the connection waits for, and a mark that differs after any progress."""
        unread, cycle = self.transport.get_write_buffer_size(), self.cycle
        if unread or self.transport.is_closing():
            return Phase.ANSWER, unread + unsent_bytes(self.transport.get_extra_info("socket"))
        if self.refused:
            return (Phase.OTHER if self._owes_answer() else Phase.REFUSED), None
        if cycle is None or cycle.scope is not self.scope:
            return Phase.HEAD, cycle
        if cycle.more_body and not self.flow.read_paused:
            return Phase.BODY, cycle
        return (Phase.IDLE if cycle.response_complete else Phase.OTHER), cycle

    def expire(self, phase: Phase) -> None:
        """End the connection, with a problem document if that is still possible."""
        in_head = self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)
        if phase is Phase.HEAD and in_head:
            self.refuse(RequestTimeout(f"expected a whole head within {self.limits.head_seconds:g} s"))
        elif phase is Phase.BODY and not self.cycle.response_complete:
            self.refuse(RequestTimeout(f"expected a whole body within {self.limits.body_seconds:g} s"))
        elif phase is Phase.ANSWER:
            self._reset()
        elif phase is Phase.REFUSED:
            self.transport.abort()
        else:
            self.transport.close()

    def refuse(self, error: ServiceError) -> None:
        """
        Answer with a problem document and close: nothing that follows can be understood.

        If earlier requests wait for their answers, the connection ends with the last of those instead.
        """
        self.refused = True
        cycle = self.cycle
        if self._owes_answer():
            if self.pipeline or not cycle.more_body:
                cycle.keep_alive = False
                if self.pipeline and cycle.more_body:
                    self.pipeline[0] = (cycle, problem_application(error, new_request_id()))  # type: ignore[assignment]
                return None
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                return self._reset()
        self.flow.resume_reading()
        self.transport.write(problem_bytes(error, new_request_id(), self.server_state.default_headers))
        lingers = self.transport.can_write_eof() and self.watch.may_linger(self)
        self.transport.write_eof() if lingers else self.transport.close()
        return None

    def _begin(self, method: str, version: str) -> None:
        """Begin to answer the request whose head is whole, or queue it behind others. As uvicorn does, in less time."""
        scope, target = self.scope, httptools.parse_url(self.url)
        scope["method"], path = method, target.path
        if version != "1.1":
            scope["http_version"] = version
        scope["path"] = self.root_path + (unquote(path.decode("ascii")) if b"%" in path else path.decode("ascii"))
        scope["raw_path"] = self.root_path.encode("ascii") + path
        scope["query_string"] = target.query or b""
        earlier = self.cycle
        self.cycle = Cycle(self, keep_alive=version != "1.0" and self.parser.should_keep_alive())
        if earlier is None or earlier.response_complete:
            self.cycle.start(self.app, self.loop, self.tasks)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _parse(self, data: bytes | memoryview) -> None:
        """
        Feed the parser.

        It stops behind a head with an offer, and takes the message for complete. The head is then parsed once more
        without the offer, so that the body follows its own head.
        """
        while True:
            try:
                return self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
                method, http = self.parser.get_method(), self.parser.get_http_version()
                self.parser.feed_data(head_without_offer(method, self.url, http, self.headers))

    def _parse_pieces(self, data: bytes) -> None:
        """Parse data that may contain more than the rest of a head, and refuse a head that is too large."""
        rest = memoryview(data)
        while rest:
            piece = rest[: self.head_bytes_left]
            rest = rest[len(piece) :]
            self.head_bytes_left -= len(piece)
            self._parse(piece)
            if self.head_bytes_left <= 0:
                return self.refuse(head_too_large(self.url, self.headers, self.limits.max_head_bytes))
        return None

    def _reset(self) -> None:
        """Close without sending what the client did not read, so that the kernel frees it, too."""
        reset_on_close(self.transport.get_extra_info("socket"))
        self.transport.abort()

    def is_answering(self) -> bool:
        """Return True if a request has arrived and its answer is not complete."""
        return self.cycle is not None and not self.cycle.response_complete

    def is_reading_head(self) -> bool:
        """Return True before the first request of a connection, and in the middle of the head of any other."""
        return self.cycle is None or self.scope is not self.cycle.scope

    def _owes_answer(self) -> bool:
        return self.is_answering() and not self.cycle.disconnected

    def _drop(self, data: bytes) -> None:
        if self._owes_answer():
            return self.flow.pause_reading()
        self.head_bytes_left -= len(data)
        if self.head_bytes_left < -MAX_LINGER_BYTES:
            self.transport.abort()
        return None


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
    then wakes at the first. False means that nothing is written, as uvicorn must do more: log the access, end the
    connection, or wait for a slow client. The headers must have their length among them and be valid.
    """
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not Cycle or not uvicorn_version.startswith(KNOWN_VERSIONS):
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
