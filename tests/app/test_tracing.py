"""Every answer says which request it answers, and where the time went."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.engine.batching import Batcher
from app.engine.pace import Pace
from app.engine.times import RUN_TIMES, RunTimes

TIMING = re.compile(
    r"decode;dur=(\d+\.\d{3}), queue;dur=(\d+\.\d{3}), compute;dur=(\d+\.\d{3}), encode;dur=(\d+\.\d{3}), "
    r"total;dur=(\d+\.\d{3})"
)
ENCODE = "/v1/models/tiny-ae/encode"
BODY = {"samples": [[0.25, 0.75, 0.5, 0]]}
EVERYTHING = [
    ("POST", ENCODE, BODY, 200),
    ("POST", "/v1/models/tiny-ae/versions/1/encode", BODY, 200),
    ("POST", ENCODE, {"samples": []}, 422),
    ("POST", "/v1/models/nobody/encode", BODY, 404),
    ("POST", "/v1/models/tiny-vae/generate?seed=x", None, 422),
    ("GET", "/v1/models", None, 200),
    ("GET", "/v1/models/nobody", None, 404),
    ("GET", "/nowhere", None, 404),
    ("DELETE", "/v1/models", None, 405),
    ("GET", "/livez", None, 200),
    ("GET", "/openapi.json", None, 200),
    ("GET", "/docs", None, 200),
    ("GET", "/docs/assets/swagger-ui.css", None, 200),
    ("GET", "/docs/assets/nothing.css", None, 404),
    ("GET", "/favicon.ico", None, 200),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), EVERYTHING)
def test_every_answer_has_an_id_and_times(method: str, path: str, body: Any, status: int, client: TestClient) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == status
    ids, times = answer.headers.get_list("x-request-id"), answer.headers.get_list("server-timing")
    assert (len(ids), len(times)) == (1, 1)
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", ids[0])
    assert TIMING.fullmatch(times[0])
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == ids[0]
        assert {"type", "title", "status", "code", "detail", "error"} < answer.json().keys()
    assert client.request(method, path, json=body).headers["x-request-id"] != ids[0]


def test_an_id_that_is_given_comes_back(client: TestClient) -> None:
    for path, given in ((ENCODE, "abc-123/4:5"), ("/nowhere", "x" * 128)):
        answer = client.post(path, json=BODY, headers={"x-request-id": given})
        assert answer.headers["x-request-id"] == given
        if answer.is_error:
            assert answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", " ", "a b", 'a"b', "x" * 129, "-a", "\xe9", "a;b", "a,b"])
def test_an_id_that_no_log_should_hold_is_replaced(given: str, client: TestClient) -> None:
    answer = client.post("/nowhere", headers={"x-request-id": given.encode("latin-1")})
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", answer.headers["x-request-id"])


def seconds(answer: httpx.Response) -> dict[str, float]:
    """The parts of Server-Timing, by name."""
    parts = [part.split(";dur=") for part in answer.headers["server-timing"].split(", ")]
    return {name: float(milliseconds) / 1e3 for name, milliseconds in parts}


def test_the_run_is_what_a_slow_request_waits_for(tiny_app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    service = tiny_app.state.service
    lane = service.model("tiny-ae")._means
    fast = lane._function

    def slow(rows: Any) -> Any:
        time.sleep(0.05)
        return fast(rows)

    monkeypatch.setattr(lane, "_function", slow)
    answer = TestClient(tiny_app).post(ENCODE, json=BODY)
    times = seconds(answer)
    assert times["compute"] >= 0.05
    assert max(times["decode"], times["encode"]) < 0.05
    assert times["total"] >= sum(times[part] for part in ("decode", "queue", "compute", "encode"))


def test_a_run_that_no_queue_was_needed_for_counts_too() -> None:
    async def scenario() -> RunTimes:
        batcher = Batcher(1, 100)

        def run(rows: Any) -> Any:
            time.sleep(0.01)
            return (rows,)

        times = RunTimes()
        RUN_TIMES.set(times)
        await batcher.lane(run, Pace(first=1e-6, per_row=1e-4), 8).run(np.zeros((8, 2), np.float32))  # fills a run
        batcher.close()
        return times

    times = asyncio.run(scenario())
    assert times.compute >= 0.01
    assert times.queue == 0


def test_what_waits_behind_another_run_says_so() -> None:
    async def scenario() -> list[RunTimes]:
        batcher = Batcher(1, 100)

        def run(rows: Any) -> Any:
            time.sleep(0.05)
            return (rows,)

        lane = batcher.lane(run, Pace(first=1.0, per_row=1.0), 1)  # on a thread, one row a run
        asked = [RunTimes(), RunTimes()]

        async def ask(times: RunTimes) -> None:
            RUN_TIMES.set(times)
            await lane.run(np.zeros((1, 2), np.float32))

        await asyncio.gather(*(asyncio.create_task(ask(times)) for times in asked))
        batcher.close()
        return asked

    first, second = asyncio.run(scenario())
    assert first.queue < 0.05 <= min(first.compute, second.compute)
    assert 0.05 <= second.queue < 0.2


def test_what_expires_has_waited_and_not_run() -> None:
    from app.errors import Expired

    async def scenario() -> RunTimes:
        batcher = Batcher(1, 100, queue_seconds=0.01)

        def run(rows: Any) -> Any:
            time.sleep(0.05)
            return (rows,)

        lane = batcher.lane(run, Pace(first=1.0, per_row=1.0), 1)
        times = RunTimes()

        async def ask(found: RunTimes | None) -> None:
            RUN_TIMES.set(found)
            await lane.run(np.zeros((1, 2), np.float32))

        first = asyncio.create_task(ask(None))
        with pytest.raises(Expired):
            await asyncio.create_task(ask(times))
        await first
        batcher.close()
        return times

    times = asyncio.run(scenario())
    assert times.queue >= 0.01
    assert times.compute == 0
