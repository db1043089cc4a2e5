"""
A soak: mixed requests at a steady rate for some minutes, with a reload each minute; a Markdown table to stdout.

    .venv/bin/python -m bench.soak --minutes 20

The rate is a share of what the server answered at full load before (`--share`, a half). In each minute, a new version
of a model appears or is removed. The exit code is 1 if a request was lost, an answer was not as expected, a reload was
not noticed, or the memory grew by 1 MiB or more a minute over the last two thirds. Samples go to stderr.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.faults.causes.folders import swap
from bench.faults.server import Bench, Server
from bench.faults.traffic import Load, Outcomes, run_load
from bench.serving.processes import PROC

SAMPLE_SECONDS = 10.0
RELOAD_SECONDS = 60.0
CAPACITY_SECONDS = 10.0
MAX_SLOPE = 1.0
"""MiB a minute; the memory of a server that leaks grows on."""


@dataclass(frozen=True)
class Sample:
    """The server at one moment."""

    seconds: float
    mebibytes: float
    descriptors: int
    threads: int


def take_sample(server: Server, start: float) -> Sample:
    """Look at all serving processes."""
    threads = sum(len(list((PROC / str(pid) / "task").iterdir())) for pid in server.workers())
    return Sample(time.monotonic() - start, server.resident_mib(), server.descriptors(), threads)


def slope(samples: list[Sample]) -> float:
    """Return the growth of the memory in MiB a minute, over the last two thirds of the time."""
    late = [sample for sample in samples if sample.seconds >= samples[-1].seconds / 3]
    if len(late) < 2:
        return 0.0
    minutes, memory = [sample.seconds / 60 for sample in late], [sample.mebibytes for sample in late]
    return float(np.polyfit(minutes, memory, 1)[0])


def soak(server: Server, models: Path, load: Load, minutes: float) -> tuple[list[Sample], int, int]:
    """Take samples and reload until the time is over. Return the samples, the reloads, and those that were noticed."""
    start = time.monotonic()
    samples, reloads, noticed = [take_sample(server, start)], 0, 0
    while time.monotonic() - start < minutes * 60:
        time.sleep(min(SAMPLE_SECONDS, max(0.0, start + minutes * 60 - time.monotonic())))
        samples.append(take_sample(server, start))
        sys.stderr.write(f"{samples[-1]} {load.outcomes.answers} answers\n")
        if samples[-1].seconds >= (reloads + 1) * min(RELOAD_SECONDS, minutes * 20):
            noticed += swap(server, models, 1, first=reloads)
            reloads += 1
    return samples, reloads, noticed


def table(outcomes: Outcomes, samples: list[Sample], minutes: float, rate: float, reloads: int) -> str:
    """Return the results as a Markdown table."""
    first, last = samples[0], samples[-1]
    highest = max(sample.mebibytes for sample in samples)
    rows = {
        "time, rate": f"{minutes:g} min at {rate:.0f} requests a second",
        "requests": f"{sum(outcomes.counts.values())}",
        "lost, not as expected": f"{outcomes.lost}, {sum(outcomes.unexpected.values())}",
        "reloads": f"{reloads}",
        "resident memory": f"{first.mebibytes:.0f} → {last.mebibytes:.0f} MiB, at most {highest:.0f}",
        "its slope over the last two thirds": f"{slope(samples):+.2f} MiB a minute",
        "descriptors, threads": f"{first.descriptors} → {last.descriptors}, {first.threads} → {last.threads}",
        "latency p50, p99, worst": " / ".join(f"{outcomes.milliseconds(p):.0f}" for p in (50, 99, 100)) + " ms",
    }
    return "| soak | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows.items())


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--share", type=float, default=0.5, help="share of the measured capacity (0.5)")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hourglass-soak-") as scratch:
        bench = Bench(Path(scratch))
        models = bench.copy_models("models")
        with bench.serve(models, workers=options.workers) as server:
            capacity = run_load(server.address, CAPACITY_SECONDS, options.connections)
            rate = options.share * capacity.answers / CAPACITY_SECONDS
            load = Load(server.address, options.connections, rate=rate)
            samples, reloads, noticed = soak(server, models, load, options.minutes)
            outcomes = load.stop()
    sys.stdout.write(table(outcomes, samples, options.minutes, rate, noticed))
    return 0 if outcomes.are_right and noticed == reloads and slope(samples) < MAX_SLOPE else 1


if __name__ == "__main__":
    sys.exit(main())
