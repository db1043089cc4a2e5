"""
The gate: the outermost ASGI application, which does once what is true of every request.

It gives each request an id and a clock, lets it through, and turns any error into a problem document. A complete answer
leaves through `Exchange.respond`; what FastAPI answers leaves through `Exchange.send`, and both carry the same headers.
A request is counted just before its answer is written, so that a client with an answer finds it counted; its line in
the log follows once the answer is written.
"""

from __future__ import annotations

import re
from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import InternalError, ServiceError, ShuttingDown
from app.server.connection import write_response
from app.server.disconnects import DisconnectWatcher
from app.server.ids import new_request_id
from app.server.lifecycle import Lifecycle
from app.server.metrics import Metrics, Parts
from app.server.problems import NOSNIFF, problem_document, problem_type
from app.server.request_log import UNKNOWN, RequestLog, route_template
from app.times import REQUEST_TIMES, RequestTimes, now

log = structlog.get_logger(__name__)

VALID_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._~+/=:@-]{0,127}")
"""An X-Request-ID that a client or a proxy may choose: safe to log as it is. Others are replaced."""
EXCHANGE = "hourglass.exchange"
"""The key of the exchange in the ASGI scope."""
CLOSE = (b"connection", b"close")
"""The header of every answer of a draining process. uvicorn closes the connection after such an answer."""
RETRY = {"Retry-After": "1"}
DISCONNECTED_STATUS = 499
"""The status in metrics and in the log, as nginx has it, if the client disconnected before its answer."""

Headers = list[tuple[bytes, bytes]]
Translate = Callable[[Scope, Exception], ServiceError | None]


class Model(Protocol):
    """The name and the version of a model, such as its manifest."""

    @property
    def name(self) -> str:
        """The name that the model is served by."""

    @property
    def version(self) -> int:
        """The number of its version."""


class Exchange:
    """
    One request and its answer.

    Endpoints add what they find out to `route`, `task`, `model`, `rows` and `bytes_in`, for the metrics and the log.
    """

    route: str | None = None
    """The template of the path, such as `/v1/models/{model}/encode`; None until it is known."""
    task: str | None = None
    """The task, which is empty until it is known; None if the route has none."""
    model: Model | None = None
    rows: int = 0
    """Rows of the request or, if the task takes none, of its answer."""
    bytes_in: int = 0
    """Bytes of the body, if no header announces them."""
    bytes_out: int = 0
    """Bytes of the answer's body."""
    status: int = 0
    """The status of the answer; 0 before it has begun."""
    error_code: str | None = None
    parts: Parts = (0.0, 0.0, 0.0, 0.0, 0.0)
    """The seconds of each part, once the answer has begun."""

    def __init__(
        self, scope: Scope, send: Send, watcher: DisconnectWatcher, lifecycle: Lifecycle, metrics: Metrics
    ) -> None:
        self._scope = scope
        self._send = send
        self._lifecycle, self._metrics = lifecycle, metrics
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
        headers = [*headers, (b"x-request-id", self.request_id), (b"server-timing", self.begin(200)), NOSNIFF]
        headers += self.extra_headers
        others_wait = self.watcher.remove()
        self.bytes_out = len(content)
        if self._lifecycle.draining:
            headers.append(CLOSE)
        elif write_response(self._send, headers, content, together=others_wait):
            return
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": content})

    async def fail(self, error: ServiceError) -> None:
        """Send the problem document of an error."""
        self.error_code = error.code
        self._metrics.count_refusal(error.code)
        document = problem_document(error, self.request_id)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in error.headers.items()]
        media_type = problem_type(self._scope["path"])
        headers += [(b"content-length", b"%d" % len(document)), (b"content-type", media_type.encode())]
        await self.send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": document})

    def send(self, message: Message) -> Awaitable[None]:
        """Send an ASGI message; the head of the answer gets the request's id and times."""
        if message["type"] == "http.response.start":
            timing = self.begin(message["status"])
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.request_id),
                (b"server-timing", timing),
                NOSNIFF,
                *self.extra_headers,
            ]
            if self._lifecycle.draining:
                message["headers"].append(CLOSE)
        else:
            self.bytes_out += len(message.get("body", b""))
        return self._send(message)

    def begin(self, status: int) -> bytes:
        """
        Count the request, whose answer begins now, and return the value of Server-Timing, in milliseconds.

        Source: W3C, "Server Timing", section 2.1.
        """
        self.started, self.status, times = True, status, self.times
        self.parts = parts = (
            max(0.0, times.decoded - times.received),
            times.queue,
            times.compute,
            max(0.0, times.encoded - times.computed),
            now() - times.start,
        )
        if self.route is None:
            self.route = route_template(self._scope)
        unknown = "" if self.task is None else UNKNOWN
        name = self.model.name if self.model is not None else unknown
        self._metrics.count_request(self.route, name, status, parts, answered_task=status == 200 and name != "")
        decode, queue, compute, encode, total = parts
        return b"decode;dur=%.3f, queue;dur=%.3f, compute;dur=%.3f, encode;dur=%.3f, total;dur=%.3f" % (
            decode * 1e3,
            queue * 1e3,
            compute * 1e3,
            encode * 1e3,
            total * 1e3,
        )


class Gate:
    """
    The outermost ASGI application.

    `translate` returns the ServiceError for an exception of the framework, or None for any other exception, which is a
    bug: its text goes to the log, and the client gets InternalError. A client that disconnects gets nothing, and one
    whose request is cut off at the end of the process gets ShuttingDown.
    """

    def __init__(
        self,
        app: ASGIApp,
        translate: Callable[[Scope, Exception], ServiceError | None],
        lifecycle: Lifecycle,
        metrics: Metrics | None = None,
        request_log: RequestLog | None = None,
    ) -> None:
        self.app: Any = app
        """The application inside."""
        self.lifecycle = lifecycle
        self.metrics = metrics or Metrics()
        self._translate = translate
        self._request_log = request_log
        self._watcher = DisconnectWatcher()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)  # type: ignore[no-any-return]
        scope[EXCHANGE] = exchange = Exchange(scope, send, self._watcher, self.lifecycle, self.metrics)
        REQUEST_TIMES.set(exchange.times)
        try:
            await self.app(scope, receive, exchange.send)
        except CancelledError:
            self._watcher.remove()
            disconnected = self._watcher.client_disconnected()
            if not exchange.started:
                if self.lifecycle.cut_off and not disconnected:
                    return await exchange.fail(ShuttingDown("the server ends; send the request again", headers=RETRY))
                exchange.begin(DISCONNECTED_STATUS)
            if not (disconnected or self.lifecycle.cut_off):
                raise
        except Exception as error:
            if exchange.started:
                raise
            self._watcher.remove()
            await exchange.fail(self._service_error(scope, exchange, error))
        finally:
            if self._request_log is not None:
                self._request_log.add(scope, exchange)
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
