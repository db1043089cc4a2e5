"""Where a model's runs go follows from how long they take."""

from __future__ import annotations

import pytest

from app.engine import pace
from app.engine.pace import Pace, measure


class Clock:
    """Stands in for the clock: a run takes 20 µs and 10 µs a row."""

    def __init__(self, fixed: float = 20e-6, per_row: float = 10e-6) -> None:
        self.now = 0.0
        self.fixed, self.per_row = fixed, per_row
        self.runs: list[int] = []

    def run(self, rows: int) -> None:
        self.runs.append(rows)
        slow = 1 if self.runs.count(rows) > 1 else 5  # the first time, as a cold run is
        self.now += slow * (self.fixed + self.per_row * rows)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that `pace` reads."""
    clock = Clock()
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    return clock


def test_the_pace_is_that_of_the_fastest_runs_and_the_measurement_stops_when_it_knows(clock: Clock) -> None:
    found = measure(clock.run)
    assert found.first == pytest.approx(30e-6)
    assert found.per_row == pytest.approx((20e-6 + 1280e-6) / 128)
    assert sorted(set(clock.runs)) == [1, 2, 4, 8, 16, 32, 64, 128]


def test_a_slow_model_is_measured_with_one_row_alone(clock: Clock) -> None:
    clock.fixed = 0.02
    assert not measure(clock.run).rows_on_loop
    assert set(clock.runs) == {1}


def test_rows_follow_from_seconds() -> None:
    assert pace.LOOP_SECONDS == 0.0008
    assert Pace(first=50e-6, per_row=10e-6).rows_on_loop == 80
    assert Pace(first=50e-6, per_row=100e-6).rows_per_run == 50
    assert Pace(first=0.9e-3, per_row=1e-6).rows_on_loop == 0
    assert Pace(first=3.0, per_row=3.0).rows_per_run == 1
    assert Pace(first=1e-6, per_row=1e-9).rows_per_run == pace.LARGEST


def test_graphs_that_run_one_after_the_other_take_the_sum() -> None:
    both = Pace(first=0.6e-3, per_row=10e-6) + Pace(first=0.3e-3, per_row=40e-6)
    assert both.rows_on_loop == 0
    assert both.rows_per_run == 100
