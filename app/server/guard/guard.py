"""
The guard: the ASGI application between the gate and all others, which refuses what may not pass.

In this order it removes the root path, answers preflights, and checks the host, the key and the rate limit. Its errors
become problem documents in the gate. It is a plain function before the next application, not a coroutine around it:
without keys and limits it costs a request 0.4 µs, and with keys 1.5 µs (`python -m bench.guard`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import Forbidden, NotFound, Unauthorized
from app.server.gate import EXCHANGE, Exchange
from app.server.grpc_paths import GRPC_CONTROL, GRPC_PROBES, GRPC_READING
from app.server.guard.cors import PREFLIGHT_HEADERS, Cors
from app.server.guard.hosts import AllowedHosts
from app.server.guard.keys import Key, KeyFile, KeyScope

if TYPE_CHECKING:
    from app.server.guard.rate_limits import RateLimits

HEALTH = frozenset({"/livez", "/readyz", "/v2/health/live", "/v2/health/ready"}) | GRPC_PROBES
"""Paths that are always open, without a limit and for every host: probes have neither a key nor a name."""
METRICS = "/metrics"
DOCS = frozenset({"", "/", "/docs", "/redoc", "/openapi.json", "/favicon.ico"})
DOCS_ASSETS = ("/docs/assets/", "/redoc/assets/")
CONTROL = "/v2/repository/models/"
"""The beginning of the paths that load and unload models."""
READING = GRPC_READING | {"/v2/repository/index"}
"""Paths for POST that only read."""
CHALLENGE = 'Bearer realm="hourglass"'


@dataclass(frozen=True)
class Policy:
    """The rules of the guard. None: everything is allowed."""

    keys: KeyFile | None = None
    rate_limits: RateLimits | None = None
    hosts: AllowedHosts | None = None
    cors: Cors | None = None
    root_path: str = ""
    """The prefix that the server has behind a proxy, such as `/hourglass`."""
    open_docs: bool = True
    open_metrics: bool = True


class Guard:
    """An ASGI application that passes on the requests that a policy allows."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy
        self._checks_only_hosts = policy == Policy(hosts=policy.hosts)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a request on, or raise ServiceError."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        policy = self._policy
        exchange: Exchange = scope[EXCHANGE]
        if self._checks_only_hosts and self._is_usual(scope, exchange):
            return self._app(scope, receive, send)
        path = self._route_path(scope) if policy.root_path or scope.get("root_path") else scope["path"]
        if policy.cors is not None:
            exchange.extra_headers = policy.cors.headers(exchange.headers.get(b"origin"))
            if policy.cors.is_preflight(scope["method"], exchange.headers):
                return _answer_preflight(send)
        if path not in HEALTH:
            self._check(scope, path, exchange)
        return self._app(scope, receive, send)

    def _is_usual(self, scope: Scope, exchange: Exchange) -> bool:
        """Return True if nothing but its host could be refused, and that was allowed before: most requests are so."""
        hosts, budget = self._policy.hosts, exchange.budget
        return (
            (hosts is None or exchange.headers.get(b"host") in hosts.verified)
            and budget.held <= budget.limit
            and not (scope.get("root_path") or scope["path"].startswith(CONTROL))
        )

    def _check(self, scope: Scope, path: str, exchange: Exchange) -> None:
        policy, headers = self._policy, exchange.headers
        if exchange.budget.held > exchange.budget.limit and path != METRICS:
            exchange.budget.check(1)  # what connections hold is counted, but cannot be refused when it comes
        host = headers.get(b"host", b"")
        if policy.hosts is not None and host not in policy.hosts.verified:
            policy.hosts.check(host)
        key = None
        if policy.keys is not None:
            if not self._is_open(path):
                key = authenticate(policy.keys, headers)
                exchange.key = key.name
                check_scope(key, required_scope(scope["method"], path))
        elif path.startswith(CONTROL):
            self._check_origin(headers)
        elif not (policy.open_docs and policy.open_metrics):
            self._check_open(path)
        if policy.rate_limits is not None and path != METRICS:
            client = scope.get("client")
            policy.rate_limits.count(f"key {key.name}" if key else f"address {client[0] if client else ''}")

    def _route_path(self, scope: Scope) -> str:
        """
        Return the path without the prefix of a mount or of a proxy.

        A proxy may pass its prefix on or remove it: the application inside sees the path without it in both cases.
        """
        path: str = scope["path"]
        mount: str = scope.get("root_path", "")
        if mount and path.startswith(mount + "/"):
            return path[len(mount) :]
        prefix = self._policy.root_path
        if path == prefix or path.startswith(prefix + "/"):
            scope["path"] = path = path[len(prefix) :] or "/"
        return path

    def _check_open(self, path: str) -> None:
        """Raise NotFound for what is not open and has no keys that could open it."""
        if (path == METRICS or is_documentation(path)) and not self._is_open(path):
            raise NotFound("expected an address that this server offers; the operator has switched this one off")

    def _is_open(self, path: str) -> bool:
        if path == METRICS:
            return self._policy.open_metrics
        return self._policy.open_docs and is_documentation(path)

    def _check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        """
        Raise Forbidden if a page of another host asks for control.

        Without keys, a browser would send the request of any page to a developer's server, although the page could not
        read the answer.
        """
        origin = headers.get(b"origin")
        if origin is None or origin.partition(b"://")[2] == headers.get(b"host"):
            return
        if self._policy.cors is None or not self._policy.cors.allows(origin):
            raise Forbidden("expected a page of this server or of HOURGLASS_CORS_ORIGINS, got one of another host")


def is_documentation(path: str) -> bool:
    """Return True for the pages of the documentation, what they load, and the address that leads to them."""
    return path in DOCS or path.startswith(DOCS_ASSETS)


def authenticate(keys: KeyFile, headers: Mapping[bytes, bytes]) -> Key:
    """Return the key of a request: of Authorization, if its scheme is Bearer, or else of X-API-Key."""
    scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer":
        secret = headers.get(b"x-api-key", b"")
    secret = secret.strip()
    if not secret:
        raise Unauthorized(
            "expected a key in the header Authorization, as `Bearer KEY`, or in X-API-Key, got none",
            headers={"WWW-Authenticate": CHALLENGE},
        )
    key = keys.find(secret)
    if key is None:
        raise Unauthorized(
            "expected a valid key, got an unknown one",
            headers={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'},
        )
    return key


def required_scope(method: str, path: str) -> KeyScope | None:
    """Return the scope that a request needs, or None if every key may send it: requests that only read."""
    if path.startswith(CONTROL) or path in GRPC_CONTROL:
        return "control"
    return "inference" if method == "POST" and path not in READING else None


def check_scope(key: Key, scope: KeyScope | None) -> None:
    """Raise Forbidden unless the key has the scope."""
    if scope is not None and key.scope != scope:
        raise Forbidden(
            f"expected a key with the scope {scope}, got one with {key.scope}",
            headers={"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'},
        )


async def _answer_preflight(send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": PREFLIGHT_HEADERS})
    await send({"type": "http.response.body"})
