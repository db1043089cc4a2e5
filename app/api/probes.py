"""The probes /livez and /readyz on the short way: they answer before FastAPI is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson
from starlette.types import Receive, Scope, Send

from app.api.state import State
from app.server.gate import EXCHANGE


def liveness(state: State) -> tuple[int, str]:
    """Return the status code and the word of /livez."""
    return (503, "stuck") if state.is_stuck() else (200, "ok")


def readiness(state: State) -> tuple[int, str]:
    """Return the status code and the word of /readyz."""
    return (200, "ok") if state.ready else (503, "not ready")


PROBES: Mapping[str, Callable[[State], tuple[int, str]]] = {"/livez": liveness, "/readyz": readiness}


class ProbeEndpoint:
    """A probe, as an ASGI application for GET and HEAD."""

    def __init__(self, path: str, state: State) -> None:
        self._path = path
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope[EXCHANGE].route = self._path
        status, word = PROBES[self._path](self._state)
        content = orjson.dumps({"status": word})
        headers = [(b"content-length", b"%d" % len(content)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def probe_endpoints(state: State) -> dict[str, ProbeEndpoint]:
    """Return the endpoint of each probe, by its path."""
    return {path: ProbeEndpoint(path, state) for path in PROBES}
