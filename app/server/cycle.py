"""
One request on a connection of uvicorn, and its answer: uvicorn's own cycle, begun and read in less time.

Like `app.server.connection`, it knows uvicorn's insides, as of 0.54. uvicorn makes an event for each request, although
the body of most has arrived with the head, and a callback for the end of each task.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.types import Send
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.server.limits import unsent_bytes

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, ASGIReceiveEvent
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


TLS_PIECE_BYTES, TLS_POLL_SECONDS = 256 * 1024, 0.05
"""Bytes of an answer that are encrypted at once, and the time between two looks at what its client has not read."""


class Flow(FlowControl):
    """uvicorn's flow control, which also tells an answer that its connection is lost."""

    lost = False


class Unawaited(asyncio.Event):
    """Stands in for the event of a cycle that nobody waits for."""

    def set(self) -> None:
        """Do nothing: whoever waits makes an event first, and whoever does not wait looks at the cycle."""


UNAWAITED = Unawaited()


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    message_event: asyncio.Event = UNAWAITED
    disconnected = False
    body: bytes | bytearray = b""  # type: ignore[assignment]
    """The part of the body that has arrived and is not read."""
    arrived = 0
    """The length of what has arrived of the body."""
    more_body = True
    has_read_end = False
    """True once the application has the end of the body."""
    response_started = False
    response_complete = False
    chunked_encoding: bool | None = None
    expected_content_length = 0

    def __init__(self, connection: HttpToolsProtocol, *, keep_alive: bool) -> None:
        self.scope = connection.scope
        self.transport = connection.transport
        self.flow = connection.flow
        self.logger = connection.logger
        self.access_logger = connection.access_logger
        self.access_log = connection.access_log
        self.default_headers = connection.server_state.default_headers
        self.on_response = connection.on_response_complete
        self.waiting_for_100_continue = connection.expect_100_continue
        self.keep_alive = keep_alive

    def start(self, app: ASGI3Application, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]) -> None:
        """Let an application answer the request, in a task that is among these until it ends."""
        self._task = loop.create_task(self.run_asgi(app))
        self._tasks = tasks
        tasks.add(self._task)

    async def run_asgi(self, app: ASGI3Application) -> None:
        """Let an application answer the request. If it raises or does not answer, uvicorn does what is left to do."""
        try:
            await app(self.scope, self.receive, self.send)
            if not (self.response_complete or self.disconnected):
                await super().run_asgi(_do_nothing)
        except BaseException as error:
            await super().run_asgi(_Failure(error))
        finally:
            self.on_response = _forget
            self._tasks.discard(self._task)

    async def receive(self) -> ASGIReceiveEvent:
        """Return the next part of the body, or the client's disconnect: at once, if it has arrived already."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        while not (self.disconnected or self.response_complete):
            self.flow.resume_reading()
            if self.body or not (self.more_body or self.has_read_end):
                body, self.body = self.body, b""
                self.has_read_end = not self.more_body
                return {"type": "http.request", "body": bytes(body), "more_body": self.more_body}
            await self._wait()
        return {"type": "http.disconnect"}

    def missing_bytes(self) -> int:
        """Return the bytes of the body that have not arrived, or 0 if its length is not announced."""
        length = dict(self.scope["headers"]).get(b"content-length")
        return 0 if length is None else int(length) - self.arrived

    def add_body(self, part: bytes) -> int:
        """Add to the body, unless the request is answered, and return the length of what is not read."""
        self.arrived += len(part)
        if self.response_complete:
            return 0
        if not self.body:
            self.body = part
        else:
            if isinstance(self.body, bytes):
                self.body = bytearray(self.body)
            self.body += part
        self.message_event.set()
        return len(self.body)

    def end_body(self) -> None:
        """Let the body end here."""
        self.more_body = False
        self.message_event.set()

    async def _wait(self) -> None:
        """Wait for more of the body, for its end, for the end of the answer, or for the client's disconnect."""
        if self.message_event is UNAWAITED:
            self.message_event = asyncio.Event()
        self.message_event.clear()
        await self.message_event.wait()


class _Failure:
    """An application that raises an error that another one raised."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def __call__(self, *_: object) -> None:
        raise self._error


async def _do_nothing(*_: object) -> None:
    """Stand in for an application that has ended."""


def _forget() -> None:
    """Stand in for the connection, which nothing may keep once the request is over."""


async def send_large(send: Send, content: bytes, *, more: bool = False) -> None:
    """
    Send a large body, or a part of it, and wait until the kernel has all of it: the process holds it until then.

    A transport of TLS encrypts all that it is given, and does not say what the client has not read of it. So it gets
    one piece after another, and the kernel's queue shows whether the last one is read.
    """
    cycle = getattr(send, "__self__", None)
    if not isinstance(cycle, Cycle):
        return await send({"type": "http.response.body", "body": content, "more_body": more})
    encrypted = cycle.scope["scheme"] == "https"
    step = TLS_PIECE_BYTES if encrypted else len(content)
    for start in range(0, len(content), step):
        last = start + step >= len(content)
        await send({"type": "http.response.body", "body": content[start : start + step], "more_body": more or not last})
    if encrypted:
        sock, flow = cycle.transport.get_extra_info("socket"), cycle.flow
        while isinstance(flow, Flow) and not flow.lost and unsent_bytes(sock):
            await asyncio.sleep(TLS_POLL_SECONDS)
    elif cycle.transport.get_write_buffer_size():
        with suppress(RuntimeError):  # uvloop's, if the connection is closed
            cycle.transport.set_write_buffer_limits(0)
            await cycle.flow.drain()
            cycle.transport.set_write_buffer_limits(HIGH_WATER_LIMIT)
    return None
