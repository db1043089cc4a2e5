"""
Measure wall and CPU seconds of `hourglass-train train`, alone and beside busy loops: a Markdown table to stdout.

    .venv/bin/python -m bench.training_cpu --busy 0 2 [--checkout DIR] [--threads 1]

Each run is a process of its own, so that its CPU seconds are those of the whole command: imports, training, evaluation,
figures and export. `--checkout` names another checkout of this project, for figures before and after a change.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

TABLE_ROWS, TABLE_COLUMNS, TABLE_FACTORS = 700, 12, 3
"""The table: normal factors times a fixed matrix, with noise of a tenth."""
RUNS = {
    "digits": ("digits-vae", "--epochs", "10"),
    "table": ("table-vae", "--data", "table.csv", "--epochs", "20"),
}
"""The measured commands by name; they run in a folder that has the table."""
VARIABLES = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT", "MKL_NUM_THREADS")
"""Variables of OpenMP, which are removed unless --threads sets the first one."""


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS), help="the commands to measure (all)")
    parser.add_argument("--busy", nargs="+", type=int, default=[0, 2], help="busy loops beside the command (0 2)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each command; the median counts (3)")
    parser.add_argument("--threads", help="OMP_NUM_THREADS of the command; by default it is not set")
    parser.add_argument("--checkout", type=Path, default=Path(__file__).parent.parent, help="the code to measure")
    options = parser.parse_args()
    print("| run | busy loops | wall, s | CPU, s |\n|---|---|---|---|")
    for name in options.runs:
        for count in options.busy:
            with busy_loops(count):
                pairs = [measure(RUNS[name], options.checkout, options.threads) for _ in range(options.rounds)]
            wall, cpu = (median(numbers) for numbers in zip(*pairs, strict=True))
            print(f"| `{' '.join(RUNS[name])}` | {count} | {wall:.1f} | {cpu:.1f} |", flush=True)
    return 0


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Run processes that never rest inside the block."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def measure(arguments: tuple[str, ...], checkout: Path, threads: str | None) -> tuple[float, float]:
    """Return the wall and the CPU seconds of one command."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environment["PYTHONPATH"] = str(checkout.resolve())
    if threads:
        environment["OMP_NUM_THREADS"] = threads
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder) / "table.csv")
        command = [sys.executable, "-m", "training", "train", *arguments, "--models-dir", "models"]
        begun, before = time.monotonic(), cpu_seconds()
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        return time.monotonic() - begun, cpu_seconds() - before


def cpu_seconds() -> float:
    """Return the CPU seconds of all ended children. Busy loops are not among them until their block ends."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def write_table(path: Path) -> None:
    """Write the table, the same one each time."""
    random = np.random.default_rng(0)
    factors, loadings = (
        random.normal(size=(TABLE_ROWS, TABLE_FACTORS)),
        random.normal(size=(TABLE_FACTORS, TABLE_COLUMNS)),
    )
    rows = factors @ loadings + 0.1 * random.normal(size=(TABLE_ROWS, TABLE_COLUMNS))
    names = ",".join(f"c{number}" for number in range(TABLE_COLUMNS))
    np.savetxt(path, rows, "%.5f", ",", header=names, comments="")


if __name__ == "__main__":
    sys.exit(main())
