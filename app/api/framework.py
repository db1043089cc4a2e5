"""
FastAPI and the routes that need it, loaded after the start.

Its import and that of the models of the OpenAPI document take a fifth of the CPU time of a start
(`python -m bench.serving.first_answer`). Tasks, inference and probes do not pass through it (`app.api.shortcut`), so
they are answered before it is there. A request that needs it waits for it, and the event loop does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Lock, Thread

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.state import State
from app.api.v1.endpoint import TaskEndpoint
from app.api.v2.infer import InferEndpoint
from app.errors import ServiceError

log = structlog.get_logger(__name__)


class Framework:
    """An ASGI application that is built on a thread: by the first request for it, or when `load` is called."""

    def __init__(self, build: Callable[[], ASGIApp]) -> None:
        self._build = build
        self._app: ASGIApp | None = None
        self._future: Future[ASGIApp] | None = None
        self._lock = Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, once the application is built. Raises what building it raised."""
        if self._app is None:
            await asyncio.shield(asyncio.wrap_future(self.load()))  # one request's end is not that of the others' wait
        assert self._app is not None
        await self._app(scope, receive, send)

    def load(self) -> Future[ASGIApp]:
        """Begin to build the application, unless that has begun. Any thread may call this."""
        with self._lock:
            if self._future is None:
                self._future = Future()
                Thread(target=self._load, args=(self._future,), name="framework", daemon=True).start()
            return self._future

    async def close(self) -> None:
        """Wait for a build that has begun: a thread that the interpreter ends in pydantic's Rust aborts the process."""
        if self._future is not None:
            await asyncio.gather(asyncio.wrap_future(self._future), return_exceptions=True)

    def translate(self, scope: Scope, error: Exception) -> ServiceError | None:
        """Return the ServiceError for an exception of FastAPI or Starlette, or None for any other exception."""
        if self._app is None:
            return None
        from app.api.problems import translate

        return translate(scope, error)

    def _load(self, future: Future[ASGIApp]) -> None:
        try:
            self._app = self._build()
        except BaseException as error:
            log.exception("the framework cannot be loaded")
            future.set_exception(error)
        else:
            future.set_result(self._app)


def later_routes(
    state: State, tasks: Mapping[str, TaskEndpoint], infer: InferEndpoint, after_loading: Callable[[], object]
) -> Framework:
    """Return FastAPI with every route, which is imported when it is loaded."""

    def build() -> ASGIApp:
        from app.api.routes import build_routes

        routes = build_routes(state, tasks, infer)
        after_loading()
        return routes

    return Framework(build)
