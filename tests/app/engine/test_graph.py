"""A graph of a single task: opened when it is needed, from the file that was checked."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from app.engine import graph as graph_module
from app.engine import session
from app.engine.graph import Graph
from app.engine.session import TensorSpec
from app.errors import InvalidModel
from app.manifest import DECODER, SCORER, FileDigest
from tests.helpers import tiny

SAMPLES = np.ones((1, 4), np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write the scorer of a table of four columns."""
    return tiny.write_version(tmp_path, kind=tiny.TABLE, scorer=True) / SCORER


def graph_of(path: Path) -> Graph:
    """Return a graph over a file as it is now."""
    graph = Graph(path, FileDigest.of(path))
    outputs = TensorSpec("score", ()), TensorSpec("p_value", ()), TensorSpec("attribution", (4,))
    graph.expect([TensorSpec("samples", (4,))], outputs)
    return graph


def times_open(path: Path) -> int:
    """Return how often this process has a file open."""
    count = 0
    for entry in list(Path("/dev/fd").iterdir()):
        with suppress(OSError):  # closed since, as that of the listing itself
            count += os.path.samestat(os.fstat(int(entry.name)), path.stat())
    return count


def score(graph: Graph) -> float:
    """Return the score of four ones."""
    return float(graph.open().run(["score"], {"samples": SAMPLES})[0][0])


def test_a_session_is_opened_once_however_many_threads_ask(path: Path) -> None:
    graph = graph_of(path)
    with ThreadPoolExecutor(8) as threads:
        sessions = set(threads.map(lambda _: graph.open(), range(32)))
    assert len(sessions) == 1
    assert score(graph) == 4


def test_a_closed_graph_is_opened_again(path: Path) -> None:
    graph = graph_of(path)
    first = graph.open()
    graph.close()
    assert graph.open() is not first
    assert score(graph) == 4


def test_a_check_runs_the_graph_as_it_is_stored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    optimised = list[bool]()

    def record(content: bytes, threads: int, path: Path, *, optimise: bool) -> onnxruntime.InferenceSession:
        optimised.append(optimise)
        return session.open_session(content, threads, path, optimise=optimise)

    monkeypatch.setattr(graph_module, "open_session", record)
    graph = graph_of(path)
    with graph.plain():
        assert score(graph) == 4
        plain = graph.open()
    assert optimised == [False]
    assert graph.open() is not plain
    assert optimised == [False, True]


def test_a_check_that_fails_leaves_no_session(path: Path) -> None:
    graph, opened = graph_of(path), list[onnxruntime.InferenceSession]()

    def check() -> None:
        with graph.plain():
            opened.append(graph.open())
            raise InvalidModel("the outputs differ")

    with pytest.raises(InvalidModel, match="the outputs differ"):
        check()
    assert graph.open() is not opened[0]


def test_a_file_that_is_removed_or_replaced_is_still_the_one_that_runs(path: Path) -> None:
    removed, replaced = graph_of(path), graph_of(path)
    other = path.with_name("other")
    other.write_bytes(path.with_name(DECODER).read_bytes())
    other.replace(path)
    assert score(replaced) == 4
    path.unlink()
    assert score(removed) == 4
    removed.close()
    assert score(removed) == 4


@pytest.mark.parametrize("content", [b"", b"\0" * 50_000])
def test_a_file_that_was_overwritten_is_refused_while_it_is_wrong(path: Path, content: bytes) -> None:
    graph, right = graph_of(path), path.read_bytes()
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(InvalidModel, match=r"scorer\.onnx is not the file that the manifest names: it was overwri"):
            graph.open()
    path.write_bytes(right)
    assert score(graph) == 4


def test_tensors_are_checked_whenever_the_graph_is_opened(path: Path) -> None:
    graph = graph_of(path)
    graph.expect([TensorSpec("samples", (5,))], [])
    for _ in range(2):
        with pytest.raises(InvalidModel, match=r"expected the inputs samples float \[5\] for each row"):
            graph.open()


def test_a_file_that_is_no_graph_is_named(path: Path) -> None:
    path.write_bytes(b"no graph")
    with pytest.raises(InvalidModel, match=r"scorer\.onnx cannot be loaded"):
        graph_of(path).open()


def test_no_file_stays_open_after_its_graph(path: Path) -> None:
    graphs = [graph_of(path) for _ in range(10)]
    assert times_open(path) == 10
    del graphs
    assert times_open(path) == 0


def test_weights_in_a_file_of_their_own_are_found_beside_the_graph(path: Path) -> None:
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=60)
    assert (path.parent / "weights").stat().st_size > 0
    assert score(graph_of(path)) == 4
