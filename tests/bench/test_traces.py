"""The costs of traces are measured apart."""

from __future__ import annotations

import pytest

from bench import traces


def test_a_sampled_trace_costs_more_than_one_that_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(traces, "CALLS", 100)
    monkeypatch.setattr(traces, "ROUNDS", 3)
    assert traces.main() == 0
    cost = {
        name.strip(): float(value)
        for name, value in (line.strip("|").split("|") for line in capsys.readouterr().out.splitlines()[2:])
    }
    assert list(cost) == ["not sampled", "sampled", "no parent"]
    assert 0 < cost["not sampled"] < cost["sampled"]
