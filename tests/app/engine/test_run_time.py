"""The measured time of a model decides where its runs go, and how large they are."""

from __future__ import annotations

import pytest

from app.engine.run_time import MAX_ROWS, RunTime, measure


class Clock:
    """A clock in place of the real one: a run takes 20 µs, and 10 µs for each row."""

    def __init__(self, fixed: float = 20e-6, per_row: float = 10e-6) -> None:
        self.now = 0.0
        self.fixed, self.per_row = fixed, per_row
        self.runs: list[int] = []

    def run(self, rows: int) -> None:
        self.runs.append(rows)
        slowness = 1 if self.runs.count(rows) > 1 else 5  # the first run of a size is cold
        self.now += slowness * (self.fixed + self.per_row * rows)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock that `measure` reads."""
    clock = Clock()
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    return clock


def test_the_fastest_runs_count_and_the_measurement_stops_at_the_first_long_one(clock: Clock) -> None:
    run_time = measure(clock.run)
    assert run_time.first == pytest.approx(30e-6)
    assert run_time.per_row == pytest.approx((20e-6 + 1280e-6) / 128)
    assert sorted(set(clock.runs)) == [1, 2, 4, 8, 16, 32, 64, 128]


def test_a_slow_model_is_measured_with_one_row_only(clock: Clock) -> None:
    clock.fixed = 0.02
    assert not measure(clock.run).rows_on_loop
    assert set(clock.runs) == {1}


def test_the_bounds_on_rows_follow_from_the_seconds() -> None:
    assert RunTime(first=50e-6, per_row=10e-6).rows_on_loop == 80
    assert RunTime(first=50e-6, per_row=100e-6).rows_per_run == 50
    assert RunTime(first=0.9e-3, per_row=1e-6).rows_on_loop == 0
    assert RunTime(first=3.0, per_row=3.0).rows_per_run == 1
    assert RunTime(first=1e-6, per_row=1e-9).rows_per_run == MAX_ROWS


def test_two_graphs_in_a_row_take_the_sum_of_their_times() -> None:
    both = RunTime(first=0.6e-3, per_row=10e-6) + RunTime(first=0.3e-3, per_row=40e-6)
    assert both.rows_on_loop == 0
    assert both.rows_per_run == 100
