"""Probes."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.api.state import State
from app.main import build_app
from app.settings import Settings
from tests.helpers.applications import get_without_start


def test_probes_answer_get_and_head(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok"}
    assert client.head("/readyz").status_code == 200
    assert set(client.post("/livez").headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("path", "body"), [("/readyz", {"status": "not ready"}), ("/v2/health/ready", {"ready": False})]
)
def test_the_server_is_not_ready_before_its_start(tiny_models: Path, path: str, body: dict[str, object]) -> None:
    state = State.load(Settings(models_dir=tiny_models))
    answer = get_without_start(build_app(state), path)
    assert (answer.status_code, answer.json()) == (503, body)
    state.close()
