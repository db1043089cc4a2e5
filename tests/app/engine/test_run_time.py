"""The measured time of a model decides where its runs go, and how large they are."""

from __future__ import annotations

import pytest

from app.engine.run_time import MAX_ROWS, RunTime, measure


class Clock:
    """A clock in place of the real one: a run takes 20 µs, and 10 µs for each row, or more beyond the memory's rows."""

    def __init__(self, fixed: float = 20e-6, per_row: float = 10e-6) -> None:
        self.now = 0.0
        self.fixed, self.per_row = fixed, per_row
        self.memory, self.slowness = 10_000, 1.0
        self.disturbed = 0
        """Rows of runs of which another process slows down the first three."""
        self.runs: list[int] = []

    def run(self, rows: int) -> None:
        self.runs.append(rows)
        slowness = 1.0 if self.runs.count(rows) > 1 else 5.0  # the first run of a size is cold
        slowness *= self.slowness if rows > self.memory else 1.0
        slowness *= 1.5 if rows == self.disturbed and self.runs.count(rows) <= 3 else 1.0
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
    assert sorted(set(clock.runs)) == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert run_time.rows_per_run == MAX_ROWS


@pytest.mark.parametrize(
    ("fixed", "per_row", "rows"), [(0.0, 1e-6, 256), (20e-6, 10e-6, 256), (0.0, 45e-6, 32), (0.0, 600e-6, 2)]
)
def test_runs_are_no_larger_than_pays(fixed: float, per_row: float, rows: int, clock: Clock) -> None:
    """Each run costs 60 µs beside its graph, which more rows share."""
    clock.fixed, clock.per_row = fixed, per_row
    assert measure(clock.run).rows_per_run == rows


@pytest.mark.parametrize(("memory", "slowness", "rows"), [(200, 1.2, 128), (128, 1.2, 128), (64, 1.2, 64)])
def test_runs_stay_below_the_size_from_which_rows_take_longer(
    memory: int, slowness: float, rows: int, clock: Clock
) -> None:
    clock.memory, clock.slowness = memory, slowness
    assert measure(clock.run).rows_per_run == rows


def test_no_run_is_measured_that_would_be_too_long(clock: Clock) -> None:
    clock.fixed, clock.per_row = 0.0, 600e-6
    assert measure(clock.run).rows_per_run == 2
    assert set(clock.runs) == {1, 2, 4}


@pytest.mark.parametrize("disturbed", [64, 128, 256])
def test_a_size_that_takes_longer_than_expected_is_measured_again(disturbed: int, clock: Clock) -> None:
    clock.fixed, clock.per_row, clock.disturbed = 0.0, 5e-6, disturbed
    assert measure(clock.run).rows_per_run == 256
    assert clock.runs.count(disturbed) == 5


def test_sizes_that_can_hardly_gain_are_not_measured(clock: Clock) -> None:
    """A run of 2 ms spreads 60 µs over its rows so well that twice the rows gain less than 3 %."""
    clock.fixed, clock.per_row = 0.0, 90e-6
    assert measure(clock.run).rows_per_run == 16
    assert max(clock.runs) == 32


def test_sizes_are_measured_on_while_the_graph_itself_gains(clock: Clock) -> None:
    """The weights of a large layer are read once for all rows."""
    clock.fixed, clock.per_row = 2.2e-3, 10e-6
    run_time = measure(clock.run)
    assert run_time.rows_per_run == max(clock.runs) == 32
    assert (run_time + run_time).rows_per_run == 31
    assert (run_time + RunTime(first=1e-4, per_row=2e-4)).rows_per_run == 17


@pytest.mark.parametrize(("slowness", "rows"), [(1.08, 128), (1.15, 64)])
def test_rows_that_take_a_little_longer_are_taken_for_noise(slowness: float, rows: int, clock: Clock) -> None:
    clock.fixed, clock.memory, clock.slowness = 0.0, 64, slowness
    assert measure(clock.run).rows_per_run == rows


def test_a_slow_model_is_measured_with_one_row_only(clock: Clock) -> None:
    clock.fixed = 0.02
    assert not measure(clock.run).rows_on_loop()
    assert set(clock.runs) == {1}


def test_the_bounds_on_rows_follow_from_the_seconds() -> None:
    assert RunTime(first=50e-6, per_row=10e-6).rows_on_loop() == 80
    assert RunTime(first=50e-6, per_row=20e-6).rows_on_loop(one_core=True) == 100
    assert RunTime(first=1.5e-3, per_row=1e-3).rows_on_loop(one_core=True) == 2
    assert RunTime(first=2.5e-3, per_row=1e-3).rows_on_loop(one_core=True) == 0
    assert RunTime(first=50e-6, per_row=100e-6).rows_per_run == 50
    assert RunTime(first=0.9e-3, per_row=1e-6).rows_on_loop() == 0
    assert RunTime(first=3.0, per_row=3.0).rows_per_run == 1
    assert RunTime(first=1e-6, per_row=1e-9).rows_per_run == MAX_ROWS
    assert RunTime(first=1e-6, per_row=1e-9, most_rows=32).rows_per_run == 32


def test_two_graphs_in_a_row_take_the_sum_of_their_times() -> None:
    both = RunTime(first=0.6e-3, per_row=10e-6) + RunTime(first=0.3e-3, per_row=40e-6, most_rows=128)
    assert both.rows_on_loop() == 0
    assert both.rows_per_run == 100


def test_two_graphs_in_a_row_run_no_more_rows_than_either_should() -> None:
    sizes = RunTime(first=1e-5, per_row=1e-6, most_rows=64), RunTime(first=1e-5, per_row=1e-6, most_rows=16)
    assert (sizes[0] + sizes[1]).rows_per_run == (sizes[1] + sizes[0]).rows_per_run == 16
