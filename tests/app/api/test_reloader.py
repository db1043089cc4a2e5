"""The reloader swaps catalogs between requests: none fails, and replaced models are freed."""

from __future__ import annotations

import asyncio
import gc
import shutil
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from app.api.state import State
from app.engine.catalog import Catalog
from app.engine.reload import RepositoryReader
from app.errors import LoadFailed
from app.main import build_app
from app.manifest import ENCODER
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.arrays import array

BODY = {"samples": [[0.25, 0.75, 0.5, 0]]}
TENSOR = {"inputs": [{"name": "samples", "shape": [1, 4], "datatype": "FP32", "data": [0.25, 0.75, 0.5, 0]}]}
PATIENCE_SECONDS = 30


@asynccontextmanager
async def started(models: Path, seconds: float = 0) -> AsyncIterator[tuple[State, httpx.AsyncClient]]:
    """Give a started state over a repository, and a client of its application."""
    state = State.load(Settings(models_dir=models, reload_seconds=seconds, threads=2))
    app = build_app(state)
    state.start()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            yield state, client
    finally:
        state.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, for a bounded time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


def newest(state: State, name: str = "tiny") -> int:
    """Return the number of a model's default version."""
    return state.catalog.get(name).manifest.version


def replace_version(models: Path, version: int) -> None:
    """Write the next version of `tiny` and remove the one before."""
    tiny.write_version(models, "tiny", version)
    shutil.rmtree(models / "tiny" / str(version - 1))


async def ask_until(state: State, version: int) -> None:
    """Ask for a reload, and wait until a version is the default."""
    state.reload()
    await until(lambda: newest(state) == version)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in an event loop of its own."""

    async def main() -> None:
        await scenario()

    asyncio.run(main())


def test_polling_finds_a_new_version(tmp_path: Path) -> None:
    tiny.write_version(tmp_path)

    async def scenario() -> None:
        async with started(tmp_path, seconds=0.01) as (state, client):
            tiny.write_version(tmp_path, version=2)
            await until(lambda: newest(state) == 2)
            answer = await client.post("/v1/models/tiny/encode", json=BODY)
            assert (answer.status_code, answer.json()["version"]) == (200, 2)

    run(scenario)


def test_without_polling_a_new_version_waits_for_the_request(tmp_path: Path) -> None:
    tiny.write_version(tmp_path)

    async def scenario() -> None:
        async with started(tmp_path) as (state, _):
            tiny.write_version(tmp_path, version=2)
            await asyncio.sleep(0.05)
            assert newest(state) == 1
            await ask_until(state, 2)

    run(scenario)


def test_no_request_fails_during_fifty_swaps(tmp_path: Path) -> None:
    tiny.write_version(tmp_path)
    tiny.write_version(tmp_path, "other")
    statuses: list[int] = []
    versions: set[int] = set()

    async def scenario() -> None:
        async with started(tmp_path) as (state, client):
            ended = asyncio.Event()

            async def send(path: str, body: object) -> None:
                while not ended.is_set():
                    answer = await client.post(path, json=body)
                    statuses.append(answer.status_code)
                    versions.add(int(answer.json().get("version") or answer.json()["model_version"]))

            large = {"samples": BODY["samples"] * 700}
            requests = [("/v1/models/tiny/encode", BODY), ("/v1/models/tiny/reconstruct", large)]
            senders = [send(*request) for request in [*requests, ("/v2/models/tiny.decode/infer", decode()), *requests]]
            async with asyncio.TaskGroup() as group:
                for sender in senders:
                    group.create_task(sender)
                other = state.catalog.get("other")
                for version in range(2, 52):
                    replace_version(tmp_path, version)
                    await ask_until(state, version)
                    await until(partial(versions.__contains__, version))
                assert state.catalog.get("other") is other
                ended.set()

    run(scenario)
    assert set(statuses) == {200}
    assert versions == set(range(1, 52))


def decode() -> dict[str, object]:
    """Return a request of /v2 for decoding."""
    return {"inputs": [{"name": "latents", "shape": [1, 2], "datatype": "FP32", "data": [1, 0.5]}]}


def test_replaced_models_are_freed_without_the_garbage_collector(tmp_path: Path) -> None:
    tiny.write_version(tmp_path)

    async def scenario() -> None:
        async with started(tmp_path) as (state, client):
            replaced: list[Callable[[], object]] = []
            for version in range(2, 6):
                for path, body in (("/v1/models/tiny/encode", BODY), ("/v2/models/tiny.encode/infer", TENSOR)):
                    assert (await client.post(path, json=body)).status_code == 200
                for path in ("/openapi.json", "/v1/models", "/v2/models/stats", "/v2/models/tiny.encode/config"):
                    assert (await client.get(path)).status_code == 200
                replaced += [weakref.ref(state.catalog), weakref.ref(state.catalog.get("tiny"))]
                replace_version(tmp_path, version)
                await ask_until(state, version)
            await until(lambda: not any(reference() for reference in replaced))

    gc.disable()
    try:
        run(scenario)
    finally:
        gc.enable()


def test_a_request_in_flight_keeps_its_model(tmp_path: Path) -> None:
    tiny.write_version(tmp_path)

    async def scenario() -> None:
        async with started(tmp_path) as (state, _):
            model = state.catalog.get("tiny")
            reference = weakref.ref(model)
            replace_version(tmp_path, 2)
            await ask_until(state, 2)
            samples = array([[[[0.25, 0.75], [0.5, 0]]]])
            assert (await model.encode(samples)).tolist() == [[1, 0.5]]
            del model
            await until(lambda: reference() is None)

    run(scenario)


def test_a_failing_look_is_logged_and_the_next_one_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.write_version(tmp_path)
    looks: list[bool] = []
    look = RepositoryReader.look

    def fail_once(reader: RepositoryReader, *, patient: bool = True, only: str | None = None) -> Catalog:
        looks.append(patient)
        if len(looks) == 2:  # the first is that of the start
            raise RuntimeError("a bug")
        return look(reader, patient=patient, only=only)

    monkeypatch.setattr(RepositoryReader, "look", fail_once)

    async def scenario() -> None:
        async with started(tmp_path) as (state, _):
            tiny.write_version(tmp_path, version=2)
            state.reload()
            await until(lambda: len(looks) == 2)
            await ask_until(state, 2)

    with capture_logs() as lines:
        run(scenario)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["reload failed"]
    assert looks == [False, False, False]


def test_versions_are_read_on_a_thread_and_swapped_on_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_version(tmp_path)
    threads: list[str] = []
    look = RepositoryReader.look

    def watched(reader: RepositoryReader, *, patient: bool = True, only: str | None = None) -> Catalog:
        threads.append(threading.current_thread().name)
        return look(reader, patient=patient, only=only)

    async def scenario() -> None:
        async with started(tmp_path) as (state, _):
            tiny.write_version(tmp_path, version=2)
            await ask_until(state, 2)

    monkeypatch.setattr(RepositoryReader, "look", watched)
    run(scenario)
    assert threads[0] == "MainThread"
    assert threads[1].startswith("reload")


def test_loading_goes_on_when_its_client_disconnects(tmp_path: Path) -> None:
    tiny.write_version(tmp_path)

    async def scenario() -> None:
        async with started(tmp_path) as (state, _):
            assert state.reloader is not None
            tiny.write_version(tmp_path, version=2)
            request = asyncio.create_task(state.reloader.load_model("tiny"))
            await asyncio.sleep(0)
            request.cancel()
            await until(lambda: newest(state) == 2)
            (tiny.write_version(tmp_path, version=3) / ENCODER).unlink()
            with pytest.raises(LoadFailed, match=r"^tiny version 3: encoder.onnx is missing"):
                await state.reloader.load_model("tiny")
            assert newest(state) == 2

    run(scenario)
