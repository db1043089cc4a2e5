"""
The attributes of a request's span.

Source: OpenTelemetry, "Semantic conventions for HTTP spans", version 1.44; what it does not name begins with
`hourglass.`. As in the log, every value is bounded, and the query, the bodies and the client's address are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.types import Scope

from app.server.gate import DISCONNECTED_STATUS
from app.server.guard.hosts import HOST, MAX_HOST_BYTES
from app.server.metrics import UNKNOWN
from app.server.request_log import request_bytes

if TYPE_CHECKING:
    from app.server.gate import Exchange

Attributes = dict[str, str | int]

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
OTHER = "_OTHER"
PORTS = {"http": 80, "https": 443}
MAX_PORT = 65_535
MAX_CHARACTERS = 200
DISCONNECTED = "client-disconnected"


def request_attributes(scope: Scope, headers: Mapping[bytes, bytes]) -> Attributes:
    """Return the attributes that are known when a request begins: samplers may decide by them."""
    method: str = scope["method"]
    attributes: Attributes = {
        "http.request.method": method if method in METHODS else OTHER,
        "url.path": scope["path"][:MAX_CHARACTERS],
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope["http_version"],
        **_server_attributes(scope.get("scheme", "http"), headers.get(b"host", b"")),
    }
    if method not in METHODS:
        attributes["http.request.method_original"] = method[:MAX_CHARACTERS]
    if agent := headers.get(b"user-agent"):
        attributes["user_agent.original"] = agent[:MAX_CHARACTERS].decode("latin-1")
    return attributes


def answer_attributes(exchange: Exchange) -> Attributes:
    """Return the attributes that are known when a request has ended."""
    attributes: Attributes = {
        "http.request.body.size": request_bytes(exchange),
        "http.response.body.size": exchange.bytes_out,
        "hourglass.request_id": exchange.request_id.decode(),
    }
    if exchange.status != DISCONNECTED_STATUS:
        attributes["http.response.status_code"] = exchange.status
    if exchange.route not in (None, UNKNOWN):
        attributes["http.route"] = str(exchange.route)
    if exchange.task:
        attributes["hourglass.task"] = exchange.task
    if exchange.model is not None:
        attributes["hourglass.model.name"] = exchange.model.name
        attributes["hourglass.model.version"] = exchange.model.version
        attributes["hourglass.rows"] = exchange.rows
    if exchange.error_code is not None:
        attributes["hourglass.error.code"] = exchange.error_code
    return attributes


def span_name(method: str, route: str | None) -> str:
    """Return the method and, if it is known, the route; a method that HTTP does not have could be any text."""
    known = method if method in METHODS else "HTTP"
    return known if route in (None, UNKNOWN) else f"{known} {route}"


def error_type(exchange: Exchange, raised: BaseException | None) -> str | None:
    """Return the kind of a failure of the server or of the connection; None if the client got what it asked for."""
    if exchange.status == DISCONNECTED_STATUS:
        return DISCONNECTED
    if exchange.status >= 500:
        return exchange.error_code or str(exchange.status)
    return None if raised is None else type(raised).__qualname__


def _server_attributes(scheme: str, host: bytes) -> Attributes:
    """Return the name and the port by which the client addressed the server, if they are well formed."""
    match = HOST.fullmatch(host) if len(host) <= MAX_HOST_BYTES else None
    if match is None or not match["name"]:
        return {}
    attributes: Attributes = {"server.address": match["name"].decode().strip("[]")}
    port = int(host[match.end("name") + 1 :] or PORTS.get(scheme, 0))
    return attributes | {"server.port": port} if 0 < port <= MAX_PORT else attributes
