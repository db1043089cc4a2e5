"""
The gate: the outermost ASGI application, which does once what is true of every request.

It gives each request an id and a clock, lets it through, and turns any error into a problem document. A complete answer
leaves through `Exchange.respond`; what FastAPI answers leaves through `Exchange.send`, and both carry the same headers.
"""

from __future__ import annotations

import re
from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import InternalError, ServiceError, ShuttingDown
from app.server.connection import write_response
from app.server.disconnects import DisconnectWatcher
from app.server.ids import new_request_id
from app.server.lifecycle import Lifecycle
from app.server.problems import NOSNIFF, PROBLEM_JSON, problem_document
from app.times import REQUEST_TIMES, RequestTimes, now

log = structlog.get_logger(__name__)

VALID_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._~+/=:@-]{0,127}")
"""An X-Request-ID that a client or a proxy may choose: safe to log as it is. Others are replaced."""
EXCHANGE = "hourglass.exchange"
"""The key of the exchange in the ASGI scope."""
CLOSE = (b"connection", b"close")
"""The header of every answer of a draining process. uvicorn closes the connection after such an answer."""
RETRY = {"Retry-After": "1"}

Headers = list[tuple[bytes, bytes]]
Translate = Callable[[Scope, Exception], ServiceError | None]


class Exchange:
    """One request and its answer."""

    __slots__ = ("_lifecycle", "_send", "extra_headers", "headers", "request_id", "started", "times", "watcher")

    def __init__(self, scope: Scope, send: Send, watcher: DisconnectWatcher, lifecycle: Lifecycle) -> None:
        self._send = send
        self._lifecycle = lifecycle
        self.watcher = watcher
        """Endpoints add the request to it once the body is read."""
        self.started = False
        """True once the answer has begun."""
        self.times = RequestTimes()
        self.times.start = now()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        """The request's headers by their names in lower case; if a name is repeated, the last."""
        self.extra_headers: Headers = []
        """More headers of the answer, whatever its status."""
        chosen = self.headers.get(b"x-request-id")
        self.request_id: bytes = chosen if chosen and VALID_ID.fullmatch(chosen) else new_request_id()

    async def respond(self, headers: Headers, content: bytes) -> None:
        """Send a complete answer with status 200, whose length is among the headers."""
        headers = [*headers, (b"x-request-id", self.request_id), (b"server-timing", self._server_timing()), NOSNIFF]
        headers += self.extra_headers
        others_wait = self.watcher.remove()
        self.started = True
        if self._lifecycle.draining:
            headers.append(CLOSE)
        elif write_response(self._send, headers, content, together=others_wait):
            return
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": content})

    async def fail(self, error: ServiceError) -> None:
        """Send the problem document of an error."""
        document = problem_document(error, self.request_id)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in error.headers.items()]
        headers += [(b"content-length", b"%d" % len(document)), (b"content-type", PROBLEM_JSON.encode())]
        await self.send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": document})

    def send(self, message: Message) -> Awaitable[None]:
        """Send an ASGI message; the head of the answer gets the request's id and times."""
        if message["type"] == "http.response.start":
            self.started = True
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.request_id),
                (b"server-timing", self._server_timing()),
                NOSNIFF,
                *self.extra_headers,
            ]
            if self._lifecycle.draining:
                message["headers"].append(CLOSE)
        return self._send(message)

    def _server_timing(self) -> bytes:
        """Return the value of Server-Timing, in milliseconds. Source: W3C, "Server Timing", section 2.1."""
        times = self.times
        return b"decode;dur=%.3f, queue;dur=%.3f, compute;dur=%.3f, encode;dur=%.3f, total;dur=%.3f" % (
            max(0.0, times.decoded - times.received) * 1e3,
            times.queue * 1e3,
            times.compute * 1e3,
            max(0.0, times.encoded - times.computed) * 1e3,
            (now() - times.start) * 1e3,
        )


class Gate:
    """
    The outermost ASGI application.

    `translate` returns the ServiceError for an exception of the framework, or None for any other exception, which is a
    bug: its text goes to the log, and the client gets InternalError. A client that disconnects gets nothing, and one
    whose request is cut off at the end of the process gets ShuttingDown.
    """

    def __init__(
        self, app: ASGIApp, translate: Callable[[Scope, Exception], ServiceError | None], lifecycle: Lifecycle
    ) -> None:
        self.app: Any = app
        """The application inside."""
        self.lifecycle = lifecycle
        self._translate = translate
        self._watcher = DisconnectWatcher()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)  # type: ignore[no-any-return]
        scope[EXCHANGE] = exchange = Exchange(scope, send, self._watcher, self.lifecycle)
        REQUEST_TIMES.set(exchange.times)
        try:
            await self.app(scope, receive, exchange.send)
        except CancelledError:
            self._watcher.remove()
            if self._watcher.client_disconnected():
                return None
            if not self.lifecycle.cut_off:
                raise
            if not exchange.started:
                await exchange.fail(ShuttingDown("the server ends; send the request again", headers=RETRY))
        except Exception as error:
            if exchange.started:
                raise
            self._watcher.remove()
            await exchange.fail(self._service_error(scope, exchange, error))
        return None

    def _service_error(self, scope: Scope, exchange: Exchange, error: Exception) -> ServiceError:
        translated = error if isinstance(error, ServiceError) else self._translate(scope, error)
        if translated is not None:
            return translated
        log.error(
            "unexpected exception",
            request_id=exchange.request_id.decode(),
            method=scope["method"],
            path=scope["path"],
            exc_info=error,
        )
        return InternalError("the server failed; its log says why")
