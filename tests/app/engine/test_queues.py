"""The queues of a model: which graphs are open, and how long runs are taken to be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.api.state import State
from app.engine import graph as graph_module
from app.engine import session
from app.engine.golden import read_golden
from app.engine.graph import Graph, GraphTask
from app.engine.kept_file import KeptFile
from app.engine.queues import UNTIMED, UNTIMED_ROWS, measure_pair, measure_task
from app.engine.repository import load_version
from app.engine.run_time import RunTime
from app.engine.served import ServedModel
from app.errors import InvalidModel
from app.manifest import DENOISER, PRIOR, SCORER, FileDigest
from tests.helpers import tiny
from tests.helpers.applications import state_over

SAMPLES = np.full((2, 1, 2, 2), 0.5, np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a version with all graphs."""
    return tiny.write_version(tmp_path, family="denoising-autoencoder", denoiser=True, prior=True, scorer=True)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the graphs that are opened from now on."""
    names, open_session = list[str](), session.open_session

    def record(content: bytes, threads: int, path: Path, *, optimise: bool) -> Any:
        assert optimise
        names.append(path.name)
        return open_session(content, threads, path)

    monkeypatch.setattr(graph_module, "open_session", record)
    return names


@pytest.fixture
def state(folder: Path) -> Iterator[State]:
    """Serve the version."""
    state = state_over(load_version(folder, "tiny", 1), threads=2)
    yield state
    state.close()


async def ask(served: ServedModel, task: GraphTask) -> Any:
    """Ask for a task."""
    match task:
        case "denoise":
            return await served.denoise(SAMPLES)
        case "generate":
            return await served.generate(2, seed=0)
        case "score":
            return await served.score(SAMPLES)


@pytest.mark.parametrize(("task", "name"), [("denoise", DENOISER), ("generate", PRIOR), ("score", SCORER)])
def test_the_first_request_for_a_task_opens_its_graph_and_no_other(
    state: State, opened: list[str], task: GraphTask, name: str
) -> None:
    served = state.catalog.get("tiny")

    async def scenario() -> None:
        await served.encode(SAMPLES)
        assert opened == []
        first = await asyncio.gather(*(ask(served, task) for _ in range(5)))
        assert opened == [name]
        again = await ask(served, task)
        np.testing.assert_array_equal(again[0], first[0][0])

    asyncio.run(scenario())
    assert opened == [name]


def test_a_graph_that_cannot_be_opened_fails_its_task_only_and_is_tried_again(folder: Path, state: State) -> None:
    served, right = state.catalog.get("tiny"), (folder / SCORER).read_bytes()

    async def scenario() -> None:
        (folder / SCORER).write_bytes(b"")
        for _ in range(2):
            with pytest.raises(InvalidModel, match="it was overwritten"):
                await served.score(SAMPLES)
        assert len(await served.denoise(SAMPLES)) == 2
        (folder / SCORER).write_bytes(right)
        assert len((await served.score(SAMPLES)).scores) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize(("task", "name"), [("denoise", "denoised"), ("generate", "draws"), ("score", "score")])
def test_a_graph_whose_outputs_differ_once_it_is_opened_is_refused(
    folder: Path, state: State, task: GraphTask, name: str
) -> None:
    """The check of the load runs the graph as it is stored, and requests an optimised one."""
    served = state.catalog.get("tiny")
    arrays = read_golden(folder, served.manifest)
    changed = folder / "changed.npz"
    np.savez(changed, allow_pickle=False, **{**arrays, name: arrays[name] + 1})
    right, served.autoencoder.golden = served.autoencoder.golden, KeptFile(changed, FileDigest.of(changed))

    async def scenario() -> None:
        for _ in range(2):
            with pytest.raises(InvalidModel, match=f"{name} differ from those that were stored"):
                await ask(served, task)
        served.autoencoder.golden = right
        assert len(await ask(served, task)) > 0

    asyncio.run(scenario())


def test_runs_of_a_graph_are_timed_when_it_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time of 0.1 ms for each row gives runs of 50 rows, which take 5 ms; before, they are small."""
    state = state_over(load_version(folder, "tiny", 1), threads=2)
    monkeypatch.setattr("app.engine.queues.measure", lambda _: RunTime(first=1e-4, per_row=1e-4))
    served, rows = state.catalog.get("tiny"), np.full((100, 1, 2, 2), 0.5, np.float32)
    asyncio.run(served.score(rows))
    assert set(served.runs["score"].by_rows) == {50}
    state.close()


def test_a_graph_that_is_not_timed_runs_few_rows_and_not_on_the_event_loop() -> None:
    assert UNTIMED.rows_per_run == UNTIMED_ROWS
    assert UNTIMED.rows_on_loop() == UNTIMED.rows_on_loop(one_core=True) == 0


@pytest.mark.parametrize("labels", [(), tiny.LABELS])
def test_the_tiny_graphs_are_fast_enough_for_the_event_loop(tmp_path: Path, labels: tuple[str, ...]) -> None:
    folder = tiny.write_version(tmp_path, kind=tiny.TABLE, labels=labels, prior=True, scorer=True)
    model = load_version(folder, "tiny", 1)
    times = [*measure_pair(model), measure_task(model, "generate"), measure_task(model, "score")]
    assert all(time.rows_on_loop() > 0 for time in times)


def test_a_version_is_loaded_with_one_graph_open_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them takes several times its file's memory. Serving the version opens none of them."""
    most, now_open = 0, set[Graph]()
    open_graph, close_graph = Graph.open, Graph.close

    def record_open(self: Graph) -> Any:
        nonlocal most
        now_open.add(self)
        most = max(most, len(now_open))
        return open_graph(self)

    def record_close(self: Graph) -> None:
        now_open.discard(self)
        close_graph(self)

    monkeypatch.setattr(Graph, "open", record_open)
    monkeypatch.setattr(Graph, "close", record_close)
    model = load_version(folder, "tiny", 1)
    assert (most, len(model.graphs), now_open) == (1, 3, set())
    state_over(model).close()
    assert now_open == set()
