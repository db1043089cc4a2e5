"""One measurement of one server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.serving.measure import WARM_UP_SECONDS, Timed, measure
from bench.serving.processes import Server, running
from bench.serving.servers import Contender
from bench.serving.wrk import LoadError, Outcome, Wrk
from tests.helpers.bench import FILE_SERVER

CORE = min(os.sched_getaffinity(0))


class PlannedLoad(Wrk):
    """A load generator that sends nothing, and reports a planned number of answers for each duration."""

    def __init__(self, answers: dict[float, int]) -> None:
        self._answers = answers

    def run(self, connections: int, seconds: float) -> Outcome:
        return Outcome(self._answers[seconds], seconds, 1, 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Start a server that gets no requests."""
    contender = Contender("files", lambda port, _: [sys.executable, "-c", FILE_SERVER, str(port)], lambda _: {})
    with running(contender, tmp_path, CORE) as server:
        yield server


def test_cpu_time_is_per_answer() -> None:
    assert Timed(Outcome(500, 1.0, 1, 1), cpu_seconds=0.25, disturbance=0.0).cpu_us == 500


def test_enough_answers_are_measured_once(server: Server) -> None:
    load = PlannedLoad({WARM_UP_SECONDS: 1, 1.0: 64})
    assert measure(load, server, 16, 1.0, CORE, idle_cpu=0.0).outcome == Outcome(64, 1.0, 1, 1)


def test_few_answers_are_measured_for_longer(server: Server) -> None:
    load = PlannedLoad({WARM_UP_SECONDS: 1, 1.0: 63, 4.0: 250})
    assert measure(load, server, 16, 1.0, CORE, idle_cpu=0.0).outcome == Outcome(250, 4.0, 1, 1)


def test_no_answers_are_an_error(server: Server) -> None:
    load = PlannedLoad({WARM_UP_SECONDS: 0, 1.0: 0, 4.0: 0})
    with pytest.raises(LoadError, match="no answer in 4 s"):
        measure(load, server, 16, 1.0, CORE, idle_cpu=0.0)
