"""The results of a soak: the growth of the memory, and the table."""

from __future__ import annotations

import pytest

from bench.faults.traffic import Outcomes, get
from bench.soak import Sample, slope, table


def test_the_slope_leaves_out_the_first_third() -> None:
    memory = [10.0, 80.0, 100.0, 102.0, 104.0, 106.0, 108.0]
    samples = [Sample(60.0 * minute, mebibytes, 20, 9) for minute, mebibytes in enumerate(memory)]
    assert slope(samples) == pytest.approx(2.0)
    assert slope(samples[:1]) == 0


def test_the_table_has_what_was_lost_and_how_the_memory_changed() -> None:
    outcomes = Outcomes()
    outcomes.add(get("/livez"), 200, 0.002)
    outcomes.add(get("/livez"), 500, 0.004)
    outcomes.add(get("/livez"), "timeout", 60.0)
    samples = [Sample(0, 150, 20, 9), Sample(60, 170, 25, 9), Sample(120, 160, 21, 10)]
    rows = dict(line.strip("| \n").split(" | ") for line in table(outcomes, samples, 2, 50, 1).splitlines()[2:])
    assert rows["requests"] == "3"
    assert rows["lost, not as expected"] == "1, 1"
    assert rows["resident memory"] == "150 → 160 MiB, at most 170"
    assert rows["latency p50, p99, worst"] == "3 / 4 / 4 ms"
    assert rows["descriptors, threads"] == "20 → 21, 9 → 10"
