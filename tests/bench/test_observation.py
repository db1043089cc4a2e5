"""The costs of the metrics and the log are measured apart."""

from __future__ import annotations

import pytest

from app.server.metrics import Metrics
from bench import observation


def test_each_part_has_a_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation, "CALLS", 50)
    monkeypatch.setattr(observation, "ROUNDS", 2)
    costs = observation.measure(Metrics())
    assert list(costs) == ["metrics: the request", "metrics: the run", "log"]
    assert min(costs.values()) > 0
