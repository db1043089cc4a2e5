"""FastAPI is loaded on a thread, and requests that need it wait for it without holding the event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event

import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.framework import Framework
from app.errors import NotFound
from app.main import create_app
from app.settings import Settings

SCOPE = {"type": "http", "method": "GET", "path": "/nowhere"}


class Slow:
    """A function that builds an application once it may."""

    def __init__(self) -> None:
        self.may_end = Event()
        self.builds = 0
        self.requests = 0

    def build(self) -> ASGIApp:
        """Return the application."""
        self.builds += 1
        assert self.may_end.wait(30)
        return self.answer

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request."""
        self.requests += 1


def ask(framework: Framework) -> asyncio.Task[None]:
    """Begin a request, as a task."""
    return asyncio.ensure_future(framework(SCOPE, None, None))  # type: ignore[arg-type]


def test_the_first_requests_wait_for_one_build_and_the_event_loop_goes_on() -> None:
    slow = Slow()
    framework = Framework(slow.build)

    async def serve() -> None:
        requests = [ask(framework), ask(framework)]
        await asyncio.sleep(0.02)  # the loop turns although the build does not end
        assert not any(request.done() for request in requests)
        slow.may_end.set()
        await asyncio.gather(*requests)
        await ask(framework)

    asyncio.run(serve())
    assert (slow.builds, slow.requests) == (1, 3)


def test_a_request_that_is_cancelled_leaves_the_build_to_the_others() -> None:
    slow = Slow()
    framework = Framework(slow.build)

    async def serve() -> None:
        first, second = ask(framework), ask(framework)
        await asyncio.sleep(0.02)
        first.cancel()
        await asyncio.sleep(0)
        slow.may_end.set()
        await second
        assert first.cancelled()

    asyncio.run(serve())
    assert slow.requests == 1


def test_the_end_waits_for_a_build_that_has_begun() -> None:
    slow = Slow()
    framework = Framework(slow.build)

    async def end() -> None:
        await framework.close()  # nothing has begun
        framework.load()
        closing = asyncio.ensure_future(framework.close())
        await asyncio.sleep(0.02)
        assert not closing.done()
        slow.may_end.set()
        await closing
        assert framework.load().done()

    asyncio.run(end())


def test_every_request_gets_the_error_of_a_build_that_failed() -> None:
    def build() -> ASGIApp:
        raise ImportError("no such module")

    framework = Framework(build)

    async def serve() -> list[object]:
        return list(await asyncio.gather(ask(framework), ask(framework), return_exceptions=True))

    assert [repr(error) for error in asyncio.run(serve())] == ["ImportError('no such module')"] * 2


def test_exceptions_are_those_of_the_framework_once_it_is_loaded() -> None:
    slow = Slow()
    framework, error = Framework(slow.build), HTTPException(404)
    assert framework.translate(SCOPE, error) is None
    slow.may_end.set()
    framework.load().result(30)
    assert isinstance(framework.translate(SCOPE, error), NotFound)
    assert framework.translate(SCOPE, KeyError()) is None


@pytest.mark.parametrize("path", ["/v1/models", "/v2", "/openapi.json", "/docs"])
def test_a_request_before_the_start_loads_the_routes(tiny_models: Path, path: str) -> None:
    assert TestClient(create_app(Settings(models_dir=tiny_models))).get(path).status_code == 200
