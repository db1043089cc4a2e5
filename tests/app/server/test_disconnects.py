"""Clients that disconnect: the work that waits for them is not done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from app.arrays import Labels, Latents, Samples
from app.engine.autoencoder import Autoencoder
from app.engine.run_time import RunTime
from app.main import build_app
from app.manifest import Manifest
from app.server.disconnects import DisconnectWatcher
from app.server.gate import Gate
from tests.helpers.applications import state_over

BODIES = {
    "/v1/models/tiny-ae/encode": b'{"samples": [[0.25, 0.75, 0.5, 0]]}',
    "/v2/models/tiny-ae.encode/infer": b'{"inputs": [{"name": "samples", "datatype": "FP32", "shape": [1, 4], '
    b'"data": [0.25, 0.75, 0.5, 0]}]}',
}
ENCODE = next(iter(BODIES))


class Client:
    """A client with one request, which disconnects when `hang_up` is set."""

    def __init__(self, app: Gate, path: str = ENCODE) -> None:
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
        """Return the body, then wait until the client disconnects."""
        if self._body:
            return {"type": "http.request", "body": self._body.pop()}
        await self.hang_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Record the answer."""
        self.sent.append(message)


class Gated(Autoencoder):
    """An autoencoder whose runs of `encode` wait on a thread until a gate is open."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.gate = threading.Event()
        self.runs: list[int] = []
        """The rows of each run."""

    def run_mean(self, samples: Samples, labels: Labels | None = None) -> tuple[Latents]:
        """Return the latents once the gate is open."""
        self.runs.append(len(samples))
        assert self.gate.wait(30)
        return super().run_mean(samples, labels)


@pytest.fixture
def model(tiny_models: Path) -> Gated:
    """Load a model that waits."""
    folder = tiny_models / "tiny-ae" / "1"
    return Gated.open(folder, Manifest.read(folder))  # type: ignore[return-value]


@pytest.fixture
def app(model: Gated, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Build an application with one thread over the model, whose runs are too long for the event loop."""
    monkeypatch.setattr("app.engine.queues.measure", lambda _: RunTime(first=1.0, per_row=0.001))
    state = state_over(model, threads=1)
    yield build_app(state)
    state.close()


def test_a_client_that_disconnects_before_its_body_is_complete_is_not_a_bug(tiny_app: Gate) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    for path in ("/v1/models/tiny-vae/generate", ENCODE):
        sent.clear()
        scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
        with capture_logs() as lines:
            asyncio.run(tiny_app({**scope, "http_version": "1.1", "scheme": "http"}, receive, send))
        assert lines == []
        assert sent[0]["status"] == 400
        assert b"the connection ended before the body did" in sent[1]["body"]


@pytest.mark.parametrize("path", BODIES)
def test_the_request_of_a_disconnected_client_is_not_computed(model: Gated, app: Gate, path: str) -> None:
    async def scenario() -> None:
        first, second, third = Client(app, path), Client(app, path), Client(app, path)
        while not model.runs:
            await asyncio.sleep(0.01)
        model.runs.clear()
        waits = [Client(app, path) for _ in range(3)]
        waits[1].hang_up.set()
        done, _ = await asyncio.wait([waits[1].task], timeout=10)
        assert done
        assert waits[1].sent == []
        model.gate.set()
        await asyncio.gather(*(client.task for client in (first, second, third, waits[0], waits[2])))
        assert [client.sent[0]["status"] for client in (first, waits[0], waits[2])] == [200] * 3

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert model.runs == [2]
    assert not lines


def test_a_connected_client_gets_its_answer_however_long_it_takes(model: Gated, app: Gate) -> None:
    async def scenario() -> None:
        client = Client(app)
        await asyncio.sleep(0.35)  # longer than the watcher takes to listen
        model.gate.set()
        await client.task
        assert client.sent[0]["status"] == 200
        assert np.frombuffer(client.sent[1]["body"], np.uint8).size > 10
        assert len(asyncio.all_tasks()) == 1  # no listener is left

    asyncio.run(scenario())


def test_a_cancellation_by_the_server_is_not_swallowed(model: Gated, app: Gate) -> None:
    async def scenario() -> None:
        client = Client(app)
        while not model.runs:
            await asyncio.sleep(0.01)
        client.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client.task
        model.gate.set()

    asyncio.run(scenario())


def test_a_removed_request_learns_if_others_still_wait() -> None:
    async def scenario() -> None:
        watcher = DisconnectWatcher()

        async def answer(event: asyncio.Event) -> bool:
            watcher.add(asyncio.Event().wait)  # type: ignore[arg-type]
            await event.wait()
            return watcher.remove()

        first, second = asyncio.Event(), asyncio.Event()
        tasks = [asyncio.create_task(answer(event)) for event in (first, second)]
        await asyncio.sleep(0)  # both wait now
        first.set()
        assert await tasks[0] is True
        second.set()
        assert await tasks[1] is False
        assert watcher.remove() is False  # it was never added
        assert not watcher.client_disconnected()

    asyncio.run(scenario())
