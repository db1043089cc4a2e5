"""Counts and times of runs."""

from __future__ import annotations

import threading

import pytest

from app.engine.statistics import RunStatistics, Total


def test_a_total_adds_counts_and_nanoseconds() -> None:
    total = Total()
    total.add(0.25)
    total.add(1e-9, count=3)
    assert (total.count, total.nanoseconds) == (4, 250_000_001)


def test_runs_are_counted_by_their_number_of_rows() -> None:
    statistics = RunStatistics()
    assert statistics.last == 0
    for rows, seconds in ((3, 0.5), (1, 0.25), (3, 0.125)):
        statistics.add_run(rows, seconds)
    assert {rows: (total.count, total.nanoseconds) for rows, total in statistics.by_rows.items()} == {
        3: (2, 625_000_000),
        1: (1, 250_000_000),
    }
    assert statistics.last > 1.7e9


def test_the_queue_counts_requests_that_waited_and_those_that_did_not() -> None:
    statistics = RunStatistics()
    statistics.add_waiting(0.5, requests=4)
    statistics.unqueued += 2
    assert (statistics.queue.count, statistics.queue.nanoseconds) == (6, 500_000_000)


def test_totals_may_be_read_while_threads_add_runs() -> None:
    statistics = RunStatistics()

    def add_runs(start: int) -> None:
        for rows in range(start, 4000, 4):
            statistics.add_run(rows, 1e-9)

    threads = [threading.Thread(target=add_runs, args=[start]) for start in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for rows in statistics.by_rows:  # would raise RuntimeError if the dict grew meanwhile
            assert rows < 4000
    assert len(statistics.by_rows) == 4000


@pytest.mark.parametrize("change", ["by_rows", "queue"])
def test_changes_of_a_copy_do_not_reach_the_statistics(change: str) -> None:
    statistics = RunStatistics()
    if change == "by_rows":
        statistics.by_rows[1] = Total()
    else:
        statistics.queue.add(1.0)
    assert (statistics.by_rows, statistics.queue.count) == ({}, 0)
