"""Applications over models that a test built itself, and requests to them without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp

from app.api.state import State
from app.engine.autoencoder import Autoencoder
from app.settings import Settings


def state_over(autoencoder: Autoencoder, threads: int = 1, **settings: Any) -> State:
    """Return the state of an application that serves one model."""
    return State.serve(Settings(threads=threads, **settings), [autoencoder])


def post_together(app: ASGIApp, *requests: tuple[str, Any]) -> list[httpx.Response]:
    """Post JSON bodies to paths, all in one turn of the event loop, and return the answers."""

    async def post_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await asyncio.gather(*(client.post(path, json=body) for path, body in requests))

    return asyncio.run(post_all())


def get_without_start(app: ASGIApp, path: str) -> httpx.Response:
    """Get a path of an application that was not started."""

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get(path)

    return asyncio.run(get())
