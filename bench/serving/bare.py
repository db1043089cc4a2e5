"""
onnxruntime in a process without a server: the encoder's runs per second with batches of 32.

    taskset -c 0 .venv/bin/python -m bench.serving.bare FOLDER SECONDS
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from bench.serving.apps.floor import open_session
from bench.serving.loads import Workload
from bench.serving.results import BareRun
from bench.serving.servers import ROOT

WARM_UP_RUNS = 20


def main() -> int:
    """Print one line of JSON."""
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    session = open_session(folder / "encoder.onnx")
    samples = Workload.read(folder).inputs.samples
    for _ in range(WARM_UP_RUNS):
        session.run(None, {"samples": samples})
    start, cpu_start, runs = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() < start + seconds:
        session.run(None, {"samples": samples})
        runs += 1
    elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    sys.stdout.write(json.dumps({"rate": runs / elapsed, "cpu_us": cpu / runs * 1e6}) + "\n")
    return 0


def run_bare(round_number: int, model: str, folder: Path, seconds: float, core: int) -> BareRun:
    """Run this module in a process of its own on a core."""
    command = ["taskset", "-c", str(core), sys.executable, "-m", "bench.serving.bare", str(folder), str(seconds)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return BareRun(round_number, model, **json.loads(output))


if __name__ == "__main__":
    sys.exit(main())
