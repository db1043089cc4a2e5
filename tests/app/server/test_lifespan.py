"""The messages of the lifespan enter and leave a context manager, and requests pass by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from app.server.lifespan import Lifespan

Context = Callable[[], AbstractAsyncContextManager[dict[str, object]]]


async def requests_only(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with its path."""
    assert scope["type"] == "http"
    await send({"type": "answer", "path": scope["path"]})


def live(context: Context, state: dict[str, object]) -> list[dict[str, Any]]:
    """Run the lifespan of an application, and return what it sends. Raises what the application raises."""
    received = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": next(received)}

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        try:
            await Lifespan(requests_only, context)({"type": "lifespan", "state": state}, receive, send)
        except ZeroDivisionError:
            sent.append({"type": "raised"})

    asyncio.run(run())
    return sent


def test_the_state_of_connections_gets_what_the_context_yields() -> None:
    steps: list[str] = []

    @asynccontextmanager
    async def context() -> AsyncIterator[dict[str, object]]:
        steps.append("start")
        yield {"new": 1}
        steps.append("end")

    state: dict[str, object] = {"old": 0}
    sent = live(context, state)
    assert sent == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]
    assert state == {"old": 0, "new": 1}
    assert steps == ["start", "end"]


@pytest.mark.parametrize("phase", ["startup", "shutdown"])
def test_an_error_is_reported_with_its_phase_and_raised(phase: str) -> None:
    @asynccontextmanager
    async def context() -> AsyncIterator[dict[str, object]]:
        if phase == "startup":
            raise ZeroDivisionError
        yield {}
        raise ZeroDivisionError

    *first, failed, raised = live(context, {})
    assert [message["type"] for message in first] == ([] if phase == "startup" else ["lifespan.startup.complete"])
    assert failed["type"] == f"lifespan.{phase}.failed"
    assert "ZeroDivisionError" in failed["message"]
    assert raised == {"type": "raised"}


def test_requests_are_passed_on() -> None:
    sent: list[Any] = []

    @asynccontextmanager
    async def context() -> AsyncIterator[dict[str, object]]:
        raise AssertionError("a request is not a lifespan")
        yield {}

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        await Lifespan(requests_only, context)({"type": "http", "path": "/a"}, None, send)  # type: ignore[arg-type]

    asyncio.run(run())
    assert sent == [{"type": "answer", "path": "/a"}]
