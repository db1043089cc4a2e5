"""Results with numbers that can be calculated by hand, and a tiny model's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.serving.contender import Load
from bench.serving.results import BareRun, Footprint, LeftOut, Measurement, Results, Start
from tests.helpers import tiny


def measured(
    number: int, contender: str, rate: float, cpu_us: float, load: Load = "json-1", connections: int = 16
) -> Measurement:
    """Of the dense model; the p50 is a thousand times the round's number."""
    return Measurement(
        number, "dense", contender, load, connections, 100, 1.0, rate, cpu_us, 1000.0 * number, 9e3, 0.01
    )


@pytest.fixture
def results() -> Results:
    """Three rounds, in which the floor answers 100, 200 and 400 a second and this server 200, 300 and 1000."""
    found = Results(machine={"processor": "a chip", "cores": "2", "kernel": "Linux 6", "day": "2026-01-02"}, options={})
    found.options = {"rounds": 3, "seconds": 1.0}
    for number, (floor, ours) in enumerate([(100.0, 200.0), (200.0, 300.0), (400.0, 1000.0)], start=1):
        found.measurements += [measured(number, "floor", floor, 50.0), measured(number, "hourglass", ours, 25.0)]
        found.measurements.append(measured(number, "hourglass", ours, 400.0, load="binary-32"))
        found.bare.append(BareRun(number, "dense", rate=1000.0, cpu_us=100.0 * number))
    found.starts = [Start("dense", "hourglass", seconds, 0.5) for seconds in (1.0, 0.9, 1.4)]
    found.starts.append(Start("dense", "floor", 0.5, 0.25))
    found.footprints = [Footprint("dense", "hourglass", idle_cpu=0.0, memory_mb=80.0, peak_mb=150.0, processes=1)]
    found.left_out = [LeftOut("dense", "a rival", "png", "status 500")]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny model: encode([a, b, c, d]) = [a + b, c + d], decode([p, q]) = [p/2, p/2, q/2, q/2]."""
    return tiny.write_version(tmp_path)
