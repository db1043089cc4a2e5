"""Requests of tasks and probes reach their endpoints past FastAPI, and other requests reach FastAPI."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.shortcut import Shortcut
from app.main import create_app
from app.settings import Settings

SAMPLES = [[0.25, 0.75, 0.5, 0], [1, 1, 1, 1]]


def named(name: str, calls: list[tuple[str, Any]]) -> ASGIApp:
    """Return an application that records its name and the parameters of the path."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append((name, scope.get("path_params")))

    return app


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "parameters"),
    [
        ("POST", "/v1/models/a/encode", "encode", {"model": "a"}),
        ("POST", "/v1/models/a/versions/7/encode", "encode", {"model": "a", "version": "7"}),
        ("POST", "/v2/models/a.encode/infer", "infer", {"name": "a.encode"}),
        ("POST", "/v2/models/a.encode/versions/7/infer", "infer", {"name": "a.encode", "version": "7"}),
        ("GET", "/v1/models/a/encode", "FastAPI", None),
        ("POST", "/v1/models/a/fly", "FastAPI", None),
        ("POST", "/v1/models/a/encode/", "FastAPI", None),
        ("POST", "/below/v1/models/a/encode", "FastAPI", None),
        ("POST", "/v2/models//infer", "FastAPI", None),
        ("POST", "/v2/models/a.encode/versions//infer", "FastAPI", None),
        ("GET", "/livez", "livez", None),
        ("HEAD", "/livez", "livez", None),
        ("POST", "/livez", "FastAPI", None),
        ("OPTIONS", "/livez", "FastAPI", None),
        ("GET", "/livez/", "FastAPI", None),
        ("GET", "/below/livez", "FastAPI", None),
        ("GET", "/metrics", "FastAPI", None),
    ],
)
def test_only_tasks_and_probes_take_the_short_way(
    method: str, path: str, endpoint: str, parameters: dict[str, str] | None
) -> None:
    calls: list[tuple[str, Any]] = []
    tasks, probes = {"encode": named("encode", calls)}, {"/livez": named("livez", calls)}
    shortcut = Shortcut(named("FastAPI", calls), tasks, named("infer", calls), probes)
    scope = {"type": "http", "method": method, "path": path}
    asyncio.run(shortcut(scope, None, None))  # type: ignore[arg-type]
    assert calls == [(endpoint, parameters)]


def test_requests_through_the_router_get_the_same_answers(tiny_models: Path) -> None:
    app = create_app(Settings(models_dir=tiny_models))
    outside = Starlette(routes=[Mount("/hourglass", app)])
    calls: list[tuple[str, dict[str, Any]]] = [
        ("/v1/models/tiny-ae/encode", {"json": {"samples": SAMPLES}}),
        ("/v1/models/tiny-ae/versions/1/encode", {"json": {"samples": SAMPLES}}),
        ("/v1/models/tiny-ae/versions/7/encode", {"json": {"samples": SAMPLES}}),
        ("/v1/models/tiny-ae/encode?what=1", {"json": {"samples": SAMPLES}}),
        ("/v1/models/tiny-vae/generate?count=3&seed=1", {}),
        ("/v1/models/nobody/decode", {"json": {"latents": [[1, 1]]}}),
    ]
    with TestClient(app) as direct, TestClient(outside) as mounted:
        for path, body in calls:
            body["headers"] = {"x-request-id": "the-same"}
            short, long = direct.post(path, **body), mounted.post(f"/hourglass{path}", **body)
            assert (short.status_code, short.content) == (long.status_code, long.content)
            for answer in (short, long):
                assert answer.headers.pop("server-timing")
            assert short.headers.items() == long.headers.items()
