"""
Connections on uvicorn. This file, `app.server.bounded` and `app.server.cycle` alone know its insides, as of 0.54.

Unlike uvicorn's own protocol, it limits heads, bodies and the reading of answers (`app.server.limits`), answers what it
refuses with a problem document, and ignores offers of other protocols. And it writes a complete answer in one step,
where uvicorn's two coroutines check every header twice: that saves 5 to 10 µs of a small request's 140, and gives 17 %
more answers in a second (`python -m bench.serving` without `write_response`). With any other version of uvicorn, or if
anything wraps its `send`, `write_response` writes nothing and the answer goes out through `send`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from importlib.metadata import version
from urllib.parse import unquote

import httptools
from starlette.types import Send
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from app.errors import MalformedRequest, Overloaded
from app.server.bounded import BoundedConnection
from app.server.cycle import UNAWAITED, Cycle, Flow
from app.server.heads import check_head, head_too_large, head_without_offer, origin_form, refusal
from app.server.limits import WATCH, ConnectionLimits, ConnectionWatch

KNOWN_VERSIONS = ("0.54.",)
"""Versions of uvicorn whose request-response cycle `write_response` matches."""

UVICORN_VERSION = version("uvicorn")

QUEUED_REQUEST_BYTES = 4096
"""The memory of a request without a body that waits in a pipeline."""
MAX_PIPELINED = 16
"""Requests that wait behind another one before the rest of the data is left unparsed."""
PIECE_BYTES, HEADS_PIECE_BYTES = 16 * 1024, 2 * 1024
"""Bytes that are parsed at once, within a body and elsewhere: fewer than those of a hundred heads."""


class Connection(BoundedConnection):
    """A connection to one client."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless too many connections are open."""
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)
        self.watch = self.app_state.get(WATCH) or ConnectionWatch(ConnectionLimits())
        self.limits = limits = self.watch.limits
        self.budget = self.watch.budget
        self.head_bytes_left = limits.max_head_bytes
        self.url = b""
        if not self.watch.admit(self):
            too_many = f"at most {limits.max_connections} connections may be open; send the request again later"
            self.refuse(Overloaded(too_many, headers={"Retry-After": "1"}))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self.flow.lost = True
        self.watch.remove(self)
        self.budget.add(-self.held)
        self.held = 0
        self.unparsed = b""  # the garbage collector may take minutes to find the connection
        self.pipeline.clear()
        if self.cycle is not None:
            self.cycle.body = bytearray()

    def data_received(self, data: bytes) -> None:
        """Parse what arrives, in pieces in which a head must end: a head is refused before it is whole."""
        if self.refused:
            return self.drop(data)
        if self.unparsed:
            data, self.unparsed = self.unparsed + data, b""
        try:
            if len(data) >= self.head_bytes_left or len(data) > PIECE_BYTES:
                self._parse_pieces(data)
            else:
                self.head_bytes_left -= len(data)
                self._parse(data)
            if self.held or self.queued or self.head_bytes_left < self.limits.max_head_bytes:
                self.count_held(may_refuse=True)
        except httptools.HttpParserError as error:
            self.refuse(refusal(error))
        except Overloaded as error:
            self.refuse(error)
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
        if self.pipeline:
            self.queued += QUEUED_REQUEST_BYTES
            self.count_held(may_refuse=True)
        self.headers = []  # trailers do not join the headers that the application has

    def on_body(self, body: bytes) -> None:
        """Add to the request's body."""
        self.head_bytes_left = self.limits.max_head_bytes
        if self.cycle.add_body(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        if self.pipeline:
            self.queued += len(body)

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
                self.queued -= QUEUED_REQUEST_BYTES + len(cycle.body)
                cycle.start(app, self.loop, self.tasks)
                if self.unparsed and len(self.pipeline) < MAX_PIPELINED:
                    self.loop.call_soon(self._parse_rest)
                self.count_held(may_refuse=False)

    def _begin(self, method: str, version: str) -> None:
        """Begin to answer the request whose head is whole, or queue it behind others. As uvicorn does, in less time."""
        scope, target = self.scope, httptools.parse_url(self.url)
        scope["method"], path = method, target.path
        if version != "1.1":
            scope["http_version"] = version
        scope["raw_path"], text = path, path.decode("ascii")
        scope["path"] = unquote(text) if "%" in text else text
        if self.root_path:
            scope["raw_path"], scope["path"] = self.root_path.encode("ascii") + path, self.root_path + scope["path"]
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

    def _parse_rest(self) -> None:
        """Parse data that waited for the pipeline, unless new data was faster."""
        if self.unparsed and not self.transport.is_closing():
            self.data_received(b"")

    def _parse_pieces(self, data: bytes) -> None:
        """
        Parse data that may contain more than the rest of a head, and refuse a head that is too large.

        Heads take a hundred times their bytes once they are parsed, so what follows a long pipeline waits as bytes.
        """
        rest = memoryview(data)
        while rest and not self.refused:
            if len(self.pipeline) >= MAX_PIPELINED:
                self.flow.pause_reading()
                self.unparsed = bytes(rest)
                return None
            piece = rest[: self._piece_length()]
            rest = rest[len(piece) :]
            self.head_bytes_left -= len(piece)
            self._parse(piece)
            if self.head_bytes_left <= 0:
                return self.refuse(head_too_large(self.url, self.headers, self.limits.max_head_bytes))
        return None

    def _piece_length(self) -> int:
        """Return the bytes to parse at once: as many as a body surely lacks, or few enough for all their heads."""
        if self.cycle is None or not self.cycle.more_body:
            return min(self.head_bytes_left, HEADS_PIECE_BYTES)
        return self.cycle.missing_bytes() or min(self.head_bytes_left, PIECE_BYTES)

    def is_reading_head(self) -> bool:
        """Return True before the first request of a connection, and in the middle of the head of any other."""
        return self.cycle is None or self.scope is not self.cycle.scope


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
    if cycle.message_event is not UNAWAITED:
        cycle.message_event.set()
    cycle.on_response()
    return True
