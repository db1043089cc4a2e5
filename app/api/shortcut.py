"""
The short way from the gate to the endpoints of tasks and probes, past FastAPI's middleware and router.

For a model that runs in 40 µs, FastAPI's routing, middleware and dependencies would cost more than the model: they take
40 µs of a request (`python -m bench.serving.anatomy`). Nor do they wait for FastAPI's import after a start. The routes
lead to the same endpoints, for requests that reach them another way, such as below a mount.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class Shortcut:
    """An ASGI application that sends requests of tasks and probes to their endpoints, and all others to FastAPI."""

    def __init__(
        self, app: ASGIApp, tasks: Mapping[str, ASGIApp], infer: ASGIApp, probes: Mapping[str, ASGIApp]
    ) -> None:
        self.app = app
        """The application for all other requests."""
        self._tasks = tasks
        """The endpoints of /v1, by task."""
        self._infer = infer
        """The endpoint of /v2."""
        self._probes = probes
        """The endpoints of probes, by path."""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a request. The paths of /v2 may end in a slash, as some clients write them."""
        if scope["type"] == "http" and scope["path"].endswith("/") and scope["path"].startswith("/v2/"):
            scope["path"] = scope["path"].rstrip("/")
        endpoint = self.app
        if scope["type"] == "http":
            if scope["method"] == "POST":
                endpoint = self._find(scope)
            elif scope["path"] in self._probes and scope["method"] in ("GET", "HEAD"):
                endpoint = self._probes[scope["path"]]
        return endpoint(scope, receive, send)

    def _find(self, scope: Scope) -> ASGIApp:
        """Return the application that answers a POST request, with the parameters of its path in the scope."""
        match scope["path"].split("/"):
            case ["", "v1", "models", model, task] if task in self._tasks:
                scope["path_params"] = {"model": model}
                return self._tasks[task]
            case ["", "v1", "models", model, "versions", version, task] if task in self._tasks:
                scope["path_params"] = {"model": model, "version": version}
                return self._tasks[task]
            case ["", "v2", "models", name, "infer"] if name:
                scope["path_params"] = {"name": name}
                return self._infer
            case ["", "v2", "models", name, "versions", version, "infer"] if name and version:
                scope["path_params"] = {"name": name, "version": version}
                return self._infer
        return self.app
