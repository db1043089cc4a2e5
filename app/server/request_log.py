"""One line in the log for each request: what was asked, how it ended, and how long each part took."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.types import Scope

from app.server.grpc_paths import GRPC_PROBES
from app.server.metrics import UNKNOWN
from app.server.refusals import Refusal

if TYPE_CHECKING:
    from app.server.gate import Exchange

PROBES = frozenset({"/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/metrics"}) | GRPC_PROBES
"""Routes whose requests have a line only if they fail."""
MAX_METHOD_CHARACTERS = 20
MAX_PATH_CHARACTERS = 100
MAX_LENGTH_DIGITS = 15

TRACE_PARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
"""Source: W3C, "Trace Context", section 3.2; versions after 00 may have more parts."""

WriteLine = Callable[[dict[str, Any]], object]
"""Writes the fields of a line."""


class RequestLog:
    """Lines about requests. Every field is bounded; the query and the bodies are left out."""

    def __init__(self, write: WriteLine) -> None:
        self._write = write

    def add(self, scope: Scope, exchange: Exchange) -> None:
        """Write the line of a request that ended, unless it is a probe that succeeded."""
        route, model = exchange.route, exchange.model
        if route in PROBES and exchange.status < 400:
            return
        decode, queue, compute, encode, total = exchange.parts
        line: dict[str, Any] = {
            "event": "request",
            "level": "info",
            "timestamp": datetime.now(UTC),
            "request_id": exchange.request_id.decode(),
            "method": scope["method"][:MAX_METHOD_CHARACTERS],
            "route": route,
            "status": exchange.status,
            "bytes_in": request_bytes(exchange),
            "bytes_out": exchange.bytes_out,
            "total_ms": int(total * 1e6) / 1e3,
        }
        if exchange.key is not None:
            line["key"] = exchange.key
        if exchange.task:
            line["task"] = exchange.task
        if model is not None:
            line["model"], line["version"] = model.name, model.version
            line["rows"] = exchange.rows
            line["decode_ms"], line["queue_ms"] = int(decode * 1e6) / 1e3, int(queue * 1e6) / 1e3
            line["compute_ms"], line["encode_ms"] = int(compute * 1e6) / 1e3, int(encode * 1e6) / 1e3
        if exchange.error_code is not None:
            line["code"] = exchange.error_code
        if route == UNKNOWN:
            line["path"] = scope["path"][:MAX_PATH_CHARACTERS]
        if exchange.span is not None:
            line["trace_id"] = exchange.span.trace_id
        elif b"traceparent" in exchange.headers and (trace := client_trace_id(scope["headers"])):
            line["trace_id"] = trace
        self._write(line)

    def add_refusal(self, refusal: Refusal) -> None:
        """Write the line of a request that the connection refused: what was read of it, and why."""
        self._write(
            {
                "event": "request",
                "level": "info",
                "timestamp": datetime.now(UTC),
                "request_id": refusal.request_id.decode(),
                "method": refusal.method[:MAX_METHOD_CHARACTERS],
                "route": UNKNOWN,
                "status": refusal.error.status,
                "code": refusal.error.code,
                "path": refusal.path[:MAX_PATH_CHARACTERS],
            }
        )


def route_template(scope: Scope) -> str:
    """Return the template of the route that FastAPI found for a request, the path of a mount, or UNKNOWN."""
    template = getattr(scope.get("route"), "path", None)
    if isinstance(template, str):
        return template
    mount = scope.get("root_path", "").removeprefix(scope.get("app_root_path", ""))
    return mount if mount and "app_root_path" in scope else UNKNOWN


def request_bytes(exchange: Exchange) -> int:
    """Return the bytes of a request's body: those that its head announces or, without a valid number, those read."""
    length = exchange.headers.get(b"content-length", b"")
    return int(length) if length.isdigit() and len(length) <= MAX_LENGTH_DIGITS else exchange.bytes_in


def client_trace_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the id of the trace that a request belongs to, or None unless it has one valid traceparent."""
    values = [value for name, value in headers if name == b"traceparent"]
    match = TRACE_PARENT.fullmatch(values[0]) if len(values) == 1 else None
    if match is None or (values[0].startswith(b"00") and len(values[0]) != 55):
        return None
    return match[1].decode()
