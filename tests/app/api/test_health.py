"""Probes."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.api.state import State
from app.arrays import Labels, Latents, Samples
from app.engine import run_limit
from app.engine.autoencoder import Autoencoder
from app.main import build_app
from app.manifest import Manifest
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.applications import get_without_start, state_over


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


class Stuck(Autoencoder):
    """An autoencoder whose encoder nothing can stop, until a gate is open."""

    started, gate = threading.Event(), threading.Event()

    def run_mean(self, samples: Samples, labels: Labels | None = None) -> tuple[Latents]:
        """Wait for the gate."""
        if (samples == 1).all():
            self.started.set()
            assert self.gate.wait(30)
        return super().run_mean(samples, labels)


def test_the_process_is_not_alive_while_a_run_cannot_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_limit, "GRACE_SECONDS", 0.05)
    folder = tiny.write_version(tmp_path)
    state = state_over(Stuck.open(folder, Manifest.read(folder)), threads=2, run_seconds=0.05, max_rows=1000)
    rows = [[1, 1, 1, 1]] * 1000  # too many for a run on the event loop
    with TestClient(build_app(state)) as client:
        answers = []
        sender = threading.Thread(
            target=lambda: answers.append(client.post("/v1/models/tiny/encode", json={"samples": rows}))
        )
        sender.start()
        assert Stuck.started.wait(30)
        deadline = time.monotonic() + 10
        while (answer := client.get("/livez")).status_code == 200:
            assert time.monotonic() < deadline
        assert (answer.status_code, answer.json()) == (503, {"status": "stuck"})
        Stuck.gate.set()
        sender.join(30)
        assert answers[0].json()["code"] == "run-too-long"  # stopped at last
        assert client.get("/livez").json() == {"status": "ok"}
