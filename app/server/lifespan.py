"""ASGI's lifespan messages, answered for a context manager: its block is the life of the application."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from starlette.types import ASGIApp, Receive, Scope, Send


class Lifespan:
    """
    An ASGI application that answers the messages of the lifespan, and passes requests on.

    Source: ASGI, "Lifespan Protocol", version 2.0
    """

    def __init__(self, app: ASGIApp, context: Callable[[], AbstractAsyncContextManager[dict[str, object]]]) -> None:
        self.app = app
        self._context = context
        """Returns a context manager, which yields what the server adds to the state of each connection."""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a request or the messages of the lifespan."""
        if scope["type"] == "lifespan":
            return self._live(scope, receive, send)
        return self.app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        phase = "startup"
        await receive()
        try:
            async with self._context() as additions:
                scope["state"].update(additions)
                await send({"type": "lifespan.startup.complete"})
                phase = "shutdown"
                await receive()
        except BaseException:
            await send({"type": f"lifespan.{phase}.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.shutdown.complete"})
