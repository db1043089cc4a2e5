"""
The start of the server with the bundled models: CPU time, wall time and memory up to the first right answer.

    .venv/bin/python -m bench.serving.first_answer --checkout ../other --rounds 9

Each round starts this checkout, every other checkout, and the floor of `bench.serving.apps.floor`, each pinned to one
core and in an order that changes from round to round. One more start of each, before the first round, compiles the
modules. The medians stand in a Markdown table. On a busy machine only the CPU time can be compared.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from app.manifest import GOLDEN
from bench.serving.loads import JSON, Array, Request, WrongAnswer, ask, rows_as_json
from bench.serving.measure import pin_to_last_core
from bench.serving.processes import Server, StartError, peak_memory_mb
from bench.serving.servers import ROOT, Contender, floor, hourglass
from bench.serving.startup import compare

MODEL = "mnist-ae"
"""The model that is asked; the server loads the others as well."""
MAX_SECONDS = 10.0
POLL_SECONDS = 0.002
FLOOR = "floor"


class FirstAnswer(NamedTuple):
    """The cost of a start up to the first right answer."""

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, action="append", default=[], help="another checkout to compare with")
    parser.add_argument("--rounds", type=int, default=9, help="starts of each (9)")
    options = parser.parse_args()
    names = [FLOOR, *map(str, [ROOT, *(path.resolve() for path in options.checkout)])]
    core = pin_to_last_core().server
    rounds: dict[str, list[FirstAnswer]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as bytecode:
        for name in names:
            start_once(contender(name, bytecode), core)
        for index in range(options.rounds):
            for name in names[index % len(names) :] + names[: index % len(names)]:
                rounds[name].append(start_once(contender(name, bytecode), core))
    sys.stdout.write("| server | CPU, s | wall, s | peak, MB |\n|---|--:|--:|--:|\n")
    for name, starts in rounds.items():
        cpu, wall, peak = (statistics.median(column) for column in zip(*starts, strict=True))
        sys.stdout.write(f"| {name} | {cpu:.3f} | {wall:.3f} | {peak:.0f} |\n")
    return 0


def start_once(server: Contender, core: int) -> FirstAnswer:
    """Start a server once, and stop it after its first right answer."""
    folder = ROOT / "models" / MODEL / "1"
    with np.load(folder / GOLDEN) as golden:
        samples, latents = golden["samples"], golden["latents"]
    path = "/encode" if server.name == FLOOR else f"/v1/models/{MODEL}/encode"
    request = Request(path, rows_as_json("samples", samples.reshape(len(samples), -1)), JSON)
    with tempfile.TemporaryDirectory() as scratch:
        process = Server(server, folder, core, Path(scratch) / "log")
        try:
            await_answer(process, request, latents)
            wall = time.perf_counter() - process.started
            return FirstAnswer(process_seconds(process.pid), wall, peak_memory_mb(process.stats()))
        finally:
            process.stop()


def contender(name: str, bytecode: str) -> Contender:
    """Return the floor, or the server of a checkout, whose modules win over those that are installed."""
    server = floor() if name == FLOOR else hourglass(MODEL)
    variables = {"PYTHONPATH": str(ROOT) if name == FLOOR else name, "PYTHONPYCACHEPREFIX": bytecode}
    return replace(server, environment={**server.environment, **variables})


def await_answer(server: Server, request: Request, latents: Array) -> None:
    """Ask until the answer is right. Raises StartError if it never is."""
    end = server.started + MAX_SECONDS
    while True:
        try:
            return compare(np.array(orjson.loads(ask(server.address, request))["latents"], np.float32), latents)
        except WrongAnswer as error:
            if time.perf_counter() > end:
                raise StartError(f"{error}: {server.end_of_log()}") from error
            time.sleep(POLL_SECONDS)


def process_seconds(pid: int) -> float:
    """
    Return the CPU time of a process, with all its threads and those that have ended.

    Source: Linux, include/linux/posix-timers_types.h: a clock of a process is the complement of its pid, and 2.
    """
    return time.clock_gettime((~pid << 3) | 2)


if __name__ == "__main__":
    sys.exit(main())
