"""Results with numbers that can be calculated by hand."""

from __future__ import annotations

import pytest

from bench.serving.results import (
    BINARY_WIRE,
    GRPC_WIRE,
    JSON_WIRE,
    BareRun,
    Footprint,
    Results,
    Skipped,
    Start,
    WireCost,
)
from tests.helpers.bench import measurement


@pytest.fixture
def results() -> Results:
    """Return three rounds: the floor gives 100, 200 and 400 answers per second, this server 200, 300 and 1000."""
    machine = {"processor": "a chip", "cores": "2", "kernel": "Linux 6", "day": "2026-01-02"}
    results = Results(machine, options={"rounds": 3, "seconds": 1.0})
    for number, (floor, ours) in enumerate([(100.0, 200.0), (200.0, 300.0), (400.0, 1000.0)], start=1):
        results.measurements += [
            measurement(number, "floor", floor, 50.0),
            measurement(number, "hourglass", ours, 25.0),
            measurement(number, "hourglass", ours, 400.0, load="binary-32"),
        ]
        results.bare.append(BareRun(number, "dense", rate=1000.0, cpu_us=100.0 * number))
    results.starts = [Start("dense", "hourglass", seconds, 0.5) for seconds in (1.0, 0.9, 1.4)]
    results.starts.append(Start("dense", "floor", 0.5, 0.25))
    results.footprints = [Footprint("dense", "hourglass", idle_cpu=0.0, memory_mb=80.0, peak_mb=150.0, processes=1)]
    results.wires = [WireCost(1, JSON_WIRE, 0.1), WireCost(1, GRPC_WIRE, 0.2), WireCost(32, BINARY_WIRE, 0.4)]
    results.skipped = [Skipped("dense", "a rival", "png", "status 500")]
    return results
