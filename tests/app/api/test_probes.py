"""Probes on the short way answer as the documented routes do."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.api.state import State
from app.main import build_app
from app.settings import Settings


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("started", [True, False])
def test_a_probe_answers_as_its_route(tiny_models: Path, path: str, method: str, started: bool) -> None:
    state = State.load(Settings(models_dir=tiny_models))
    app = build_app(state)
    direct, mounted = TestClient(app), TestClient(Starlette(routes=[Mount("/below", app)]))
    if started:
        state.lifecycle.start()
    headers = {"x-request-id": "the-same"}
    short = direct.request(method, path, headers=headers)
    long = mounted.request(method, f"/below{path}", headers=headers)
    expected = 200 if started or path == "/livez" else 503
    assert (short.status_code, long.status_code) == (expected, expected)
    assert short.content == long.content
    for answer in (short, long):
        assert answer.headers.pop("server-timing")
    assert sorted(short.headers.items()) == sorted(long.headers.items())
    state.close()


def test_a_probe_is_counted_under_its_path(tiny_models: Path) -> None:
    state = State.load(Settings(models_dir=tiny_models))
    client = TestClient(build_app(state))
    client.get("/livez")
    client.head("/livez")
    counted = 'hourglass_requests_total{code="200",model="",route="/livez"} 2.0'
    assert counted in client.get("/metrics").text
    state.close()
