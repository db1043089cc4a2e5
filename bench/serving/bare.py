"""
onnxruntime alone, in a process without a server: samples a second of `encode` at a batch of 32.

    taskset -c 0 .venv/bin/python -m bench.serving.bare FOLDER SECONDS
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from bench.serving.apps.floor import open_session
from bench.serving.questions import Questions


def main() -> int:
    """Print one line of JSON."""
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    session = open_session(folder / "encoder.onnx")
    samples = Questions.read(folder).inputs.samples
    for _ in range(20):
        session.run(None, {"samples": samples})
    start, cpu_start, runs = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() < start + seconds:
        session.run(None, {"samples": samples})
        runs += 1
    elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    sys.stdout.write(json.dumps({"rate": runs / elapsed, "cpu_us": cpu / runs * 1e6}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
