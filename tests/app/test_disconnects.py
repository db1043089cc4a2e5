"""A client that hangs up: what waits for it is not computed."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.engine.autoencoder import Autoencoder
from app.main import create_app
from app.settings import Settings

BODIES = {
    "/v1/models/tiny-ae/encode": b'{"samples": [[0.25, 0.75, 0.5, 0]]}',
    "/v2/models/tiny-ae.encode/infer": b'{"inputs": [{"name": "samples", "datatype": "FP32", "shape": [1, 4], '
    b'"data": [0.25, 0.75, 0.5, 0]}]}',
}
ENCODE = next(iter(BODIES))


class Client:
    """One request to an application, which hangs up when it is told to."""

    def __init__(self, app: FastAPI, path: str = ENCODE) -> None:
        self.sent: list[dict[str, Any]] = []
        self.hang_up = asyncio.Event()
        self._body = [BODIES[path]]
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "headers": [],
            "query_string": b"",
        }
        self.task = asyncio.create_task(app(scope, self.receive, self.send))

    async def receive(self) -> dict[str, Any]:
        """The body, then nothing until the client hangs up."""
        if self._body:
            return {"type": "http.request", "body": self._body.pop()}
        await self.hang_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Keep the answer."""
        self.sent.append(message)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What every run of an encoder waits for, on a thread."""
    monkeypatch.setattr("app.engine.pace.LOOP_SECONDS", 0)
    gate, run = threading.Event(), Autoencoder.run_mean

    def gated(self: Autoencoder, samples: Any) -> Any:
        RUNS.append(len(samples))
        assert gate.wait(30)
        return run(self, samples)

    RUNS.clear()
    monkeypatch.setattr(Autoencoder, "run_mean", gated)
    return gate


RUNS: list[int] = []


def test_what_a_client_that_has_gone_asked_for_is_not_computed(tiny_models: Path) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    path = "/v1/models/tiny-vae/generate"
    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
    asyncio.run(create_app(Settings(models_dir=tiny_models))(scope, receive, send))
    assert sent[0]["status"] == 400
    assert b"the connection ended before the body did" in sent[1]["body"]


@pytest.mark.parametrize("path", BODIES)
def test_what_waits_for_a_client_that_has_gone_is_not_computed(
    tiny_models: Path, gate: threading.Event, path: str
) -> None:
    app = create_app(Settings(models_dir=tiny_models, threads=1))

    async def scenario() -> None:
        first, gone, last = Client(app, path), Client(app, path), Client(app, path)
        while not RUNS:
            await asyncio.sleep(0.01)
        RUNS.clear()
        waits = [Client(app, path) for _ in range(3)]
        waits[1].hang_up.set()
        done, _ = await asyncio.wait([waits[1].task], timeout=10)
        assert done
        assert waits[1].sent == []
        gate.set()
        await asyncio.gather(*(client.task for client in (first, gone, last, waits[0], waits[2])))
        assert [client.sent[0]["status"] for client in (first, waits[0], waits[2])] == [200] * 3

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert RUNS == [2]
    assert not lines
    app.state.service.close()


def test_a_client_that_stays_gets_its_answer_however_long_it_takes(tiny_models: Path, gate: threading.Event) -> None:
    app = create_app(Settings(models_dir=tiny_models, threads=1))

    async def scenario() -> None:
        client = Client(app)
        await asyncio.sleep(0.35)  # longer than clients are left unwatched
        gate.set()
        await client.task
        assert client.sent[0]["status"] == 200
        assert np.frombuffer(client.sent[1]["body"], np.uint8).size > 10
        assert len(asyncio.all_tasks()) == 1  # nobody listens any more

    asyncio.run(scenario())
    app.state.service.close()


def test_a_task_that_is_cancelled_from_elsewhere_stays_cancelled(tiny_models: Path, gate: threading.Event) -> None:
    app = create_app(Settings(models_dir=tiny_models, threads=1))

    async def scenario() -> None:
        client = Client(app)
        while not RUNS:
            await asyncio.sleep(0.01)
        client.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client.task
        gate.set()

    asyncio.run(scenario())
    app.state.service.close()
