"""Two servers are measured in turn, and the rounds take turns in which is first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.serving import pairs
from bench.serving.loads import Request
from bench.serving.measure import Cores
from bench.serving.pairs import Timings, measure_round
from tests.helpers.bench import timed


def test_each_load_is_measured_on_both_and_the_first_one_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[tuple[str, int]] = []

    def measure(wrk: object, server: Any, count: int, *rest: object, idle_cpu: float) -> object:
        order.append((server.name, count))
        return timed(len(order))

    monkeypatch.setattr(pairs, "measure", measure)
    servers: dict[str, Any] = {name: SimpleNamespace(name=name, address="http://127.0.0.1:1") for name in ("a", "b")}
    timings: Timings = {}
    for number in range(2):
        measure_round(number, servers, {"png": Request("/", b"")}, [1, 16], 1.0, Cores(0, 1), timings)
    assert order == [("a", 1), ("b", 1), ("a", 16), ("b", 16), ("b", 1), ("a", 1), ("b", 16), ("a", 16)]
    assert [round(each.cpu_us) for each in timings["png", 1]["a"]] == [1, 6]
    assert [round(each.cpu_us) for each in timings["png", 16]["b"]] == [4, 7]
