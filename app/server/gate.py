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
from typing import TYPE_CHECKING, Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import InternalError, ServiceError, ShuttingDown
from app.server.budget import UNCOUNTED_BYTES, Budget
from app.server.connection import write_response
from app.server.cycle import send_large
from app.server.disconnects import DisconnectWatcher, RequestTask
from app.server.facts import RequestFacts
from app.server.ids import new_request_id
from app.server.lifecycle import Lifecycle
from app.server.metrics import UNKNOWN, Metrics, server_timing
from app.server.problems import NOSNIFF, problem_answer, problem_type
from app.server.refusals import REFUSAL, Refusal
from app.server.request_log import RequestLog, route_template
from app.times import REQUEST_TIMES, RequestTimes, now

if TYPE_CHECKING:
    from app.server.traces.spans import Traces

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


class Exchange(RequestFacts):
    """One request and its answer."""

    watcher: DisconnectWatcher
    """Endpoints add the request to it once the body is read."""
    watched: RequestTask | None = None
    """The asyncio task, once the watcher looks after its client."""

    def __init__(self, scope: Scope, send: Send, gate: Gate) -> None:
        self.scope, self.outlet = scope, send
        """They lead back here, so the gate deletes them: only the garbage collector would free all of them else."""
        self._lifecycle, self._metrics, self.budget = gate.lifecycle, gate.metrics, gate.budget
        self.watcher = gate.watcher
        self.times = times = RequestTimes()
        times.start = now()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        """The request's headers by their names in lower case; if a name is repeated, the last."""
        chosen = self.headers.get(b"x-request-id")
        self.request_id: bytes = chosen if chosen and VALID_ID.fullmatch(chosen) else new_request_id()

    async def respond(self, headers: Headers, content: bytes) -> None:
        """
        Send a complete answer with status 200, whose length is among the headers.

        A large one is held until its client has read it. Raises Overloaded.
        """
        large = len(content) > UNCOUNTED_BYTES
        if large or self.held:
            self.hold(len(content))
        headers = [*headers, (b"x-request-id", self.request_id), (b"server-timing", self.begin(200)), NOSNIFF]
        headers += self.extra_headers
        others_wait = self.watcher.remove(self.watched)
        self.bytes_out = len(content)
        if self._lifecycle.draining:
            headers.append(CLOSE)
        elif not large and write_response(self.outlet, headers, content, together=others_wait):
            return
        await self.outlet({"type": "http.response.start", "status": 200, "headers": headers})
        if large:
            await send_large(self.outlet, content)
        else:
            await self.outlet({"type": "http.response.body", "body": content})

    async def fail(self, error: ServiceError) -> None:
        """Send the problem document of an error."""
        self.error_code = error.code
        self._metrics.count_refusal(error.code)
        headers, document = problem_answer(error, self.request_id, problem_type(self.scope["path"]))
        await self.send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": document})

    def record(self, refusal: Refusal) -> None:
        """Count the request as the connection refused it."""
        self.error_code, self.request_id = refusal.error.code, refusal.request_id
        self._metrics.count_refusal(refusal.error.code)
        self.begin(refusal.error.status)

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
            size = len(message.get("body", b""))
            self.bytes_out += size
            if size > UNCOUNTED_BYTES:
                return self._send_large(message, size)
        return self.outlet(message)

    async def _send_large(self, message: Message, size: int) -> None:
        """Send a large part of an answer that has begun, and count it until it is read."""
        self.hold_more(size)
        await send_large(self.outlet, message["body"], more=message.get("more_body", False))
        self.hold_more(-size)

    def begin(self, status: int) -> bytes:
        """Count the request, whose answer begins now, and return the value of the header Server-Timing."""
        self.started, self.status, times = True, status, self.times
        decode, encode, total = times.decoded - times.received, times.encoded - times.computed, now() - times.start
        if decode < 0 or encode < 0:  # an error came before the end of the part
            decode, encode = max(0.0, decode), max(0.0, encode)
        self.parts = parts = decode, times.queue, times.compute, encode, total
        if self.span is not None:
            self.extra_headers = [*self.extra_headers, self.span.response_header]
        if self.route is None:
            self.route = route_template(self.scope)
        unknown = "" if self.task is None else UNKNOWN
        name = self.model.name if self.model is not None else unknown
        self._metrics.count_request(self.route, name, status, parts, answered_task=status == 200 and name != "")
        return server_timing(parts)


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
        translate: Translate,
        lifecycle: Lifecycle,
        metrics: Metrics | None = None,
        request_log: RequestLog | None = None,
        budget: Budget | None = None,
        traces: Traces | None = None,
    ) -> None:
        self.app: Any = app
        """The application inside."""
        self.lifecycle = lifecycle
        self.metrics = metrics or Metrics()
        self.budget = budget or Budget()
        self._translate = translate
        self._request_log = request_log
        self._traces = traces
        self._has_records = request_log is not None or traces is not None
        self.watcher = DisconnectWatcher()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)  # type: ignore[no-any-return]
        scope[EXCHANGE] = exchange = Exchange(scope, send, self)
        REQUEST_TIMES.set(exchange.times)
        if self._traces is not None:
            exchange.span = self._traces.begin(scope, exchange)
        failure: ServiceError | None = None
        try:
            await self.app(scope, receive, exchange.send)
        except CancelledError:
            self.watcher.remove()
            disconnected = self.watcher.client_disconnected()
            if not exchange.started:
                if self.lifecycle.cut_off and not disconnected:
                    return await exchange.fail(ShuttingDown("the server ends; send the request again", headers=RETRY))
                exchange.begin(DISCONNECTED_STATUS)
            if not (disconnected or self.lifecycle.cut_off):
                raise
        except Exception as error:
            if exchange.started:
                raise
            self.watcher.remove()
            failure = self._service_error(scope, exchange, error)
        finally:
            if exchange.held:
                exchange.hold(0)
            if failure is None:
                if self._has_records:
                    self._record(scope, exchange)
                del exchange.scope, exchange.outlet
        return None if failure is None else await self._fail(scope, exchange, failure)

    def _record(self, scope: Scope, exchange: Exchange) -> None:
        """Write the line of a request that is over, and end its span."""
        if exchange.span is not None:
            exchange.span.end(exchange)
        if self._request_log is not None:
            self._request_log.add(scope, exchange)

    async def _fail(self, scope: Scope, exchange: Exchange, error: ServiceError) -> None:
        """Send an error, unless the connection has already sent another one."""
        refusal: Refusal | None = scope.get(REFUSAL)
        try:
            if refusal is None:
                await exchange.fail(error)
            else:
                exchange.record(refusal)
        finally:
            self._record(scope, exchange)
            del exchange.scope, exchange.outlet

    def _service_error(self, scope: Scope, exchange: Exchange, error: Exception) -> ServiceError:
        translated = error if isinstance(error, ServiceError) else self._translate(scope, error)
        if translated is not None:
            return translated.without_frames()
        log.error(
            "unexpected exception",
            request_id=exchange.request_id.decode(),
            method=scope["method"],
            path=scope["path"],
            exc_info=error,
        )
        return InternalError("the server failed; its log says why")
