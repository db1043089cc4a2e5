"""
Measure the server with shared runs and without, in turn, and print a Markdown table.

    .venv/bin/python -m bench.serving.sharing [--models NAME ...] [--cores 1 2] [--connections 1 16 64]

Without them (`HOURGLASS_BATCHING=false`) each request has its own run. Sharing must never cost: on one core, the CPU
time of a request decides, since it bounds what the server can answer; on two, the answers a second, for the threads and
the load generator wait for each other. The ratio is the median of the rounds' ratios, and more than 1 is for sharing.
The command returns 1 if any is below 0.98.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from app.engine.repository import load_version
from bench.serving.loads import WORKLOAD_FILE, Load, Workload
from bench.serving.measure import Cores, Timed, pin_to_last_core
from bench.serving.models import NETWORKS, workload, write_model
from bench.serving.pairs import Timings, measure_round
from bench.serving.processes import Server, running
from bench.serving.report import markdown
from bench.serving.servers import Contender, hourglass, hourglass_requests
from bench.serving.summary import Spread
from bench.serving.wrk import LoadError, find_wrk
from training.config import NetworkConfig

LARGE = NetworkConfig(architecture="conv", latent_dim=64, widths=(64, 128), residual_blocks=(1, 2), hidden=256)
MODELS = {**NETWORKS, "large": LARGE}
LOADS: tuple[Load, ...] = "json-1", "json-32", "binary-32", "decode-32"
SHARED, SEPARATE = "shared", "separate"
LEAST_RATIO = 0.98
COLUMNS = "model", "cores", "load", "connections", "separate, µs", "shared, µs", "ratio", "lowest to highest", ""


def main() -> int:
    """Print the table. Return 1 if sharing costs anything, or if there is no load generator."""
    options = build_parser().parse_args()
    try:
        find_wrk()
    except LoadError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    cores = pin_to_last_core()
    lines: list[list[str]] = []
    for model in options.models:
        for count in options.cores:
            with pair_of_servers(model, count, cores) as (servers, version):
                every_request = hourglass_requests(f"bench-{model}", Workload.read(version).inputs)
                requests = {str(load): every_request[load] for load in LOADS}
                timings: Timings = {}
                for number in range(options.rounds):
                    measure_round(number, servers, requests, options.connections, options.seconds, cores, timings)
            lines += rows(model, count, timings)
    sys.stdout.write(f"{markdown(list(COLUMNS), lines)}\n")
    return 1 if any(line[-1] for line in lines) else 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--models", nargs="*", choices=list(MODELS), default=list(MODELS), help="networks (all)")
    add("--cores", nargs="*", type=int, choices=[1, 2], default=[1, 2], help="cores of the server (1 2)")
    add("--connections", nargs="*", type=int, default=[1, 16, 64], help="numbers of connections (1 16 64)")
    add("--seconds", type=float, default=1.0, help="seconds per measurement (1)")
    add("--rounds", type=int, default=3, help="rounds (3)")
    return parser


@contextlib.contextmanager
def pair_of_servers(model: str, count: int, cores: Cores) -> Iterator[tuple[dict[str, Server], Path]]:
    """Start both servers on one core, or on that of the load generator as well; yield them and the model's folder."""
    with contextlib.ExitStack() as stack:
        version = Path(stack.enter_context(tempfile.TemporaryDirectory())) / f"bench-{model}" / "1"
        write_model(f"bench-{model}", version, MODELS[model])
        arrays = workload(load_version(version, f"bench-{model}", 1))
        np.savez(version / WORKLOAD_FILE, **arrays)  # type: ignore[arg-type]
        allowed = {cores.server} if count == 1 else {cores.server, cores.load}
        servers = {
            name: stack.enter_context(running(variant(model, name, allowed), version, cores.server))
            for name in (SEPARATE, SHARED)
        }
        yield servers, version


def variant(model: str, name: str, allowed: set[int]) -> Contender:
    """Return this server on some cores, with shared runs or without."""
    server = hourglass(f"bench-{model}")

    def start(port: int, folder: Path) -> list[str]:
        return ["taskset", "-c", ",".join(map(str, sorted(allowed))), *server.start(port, folder)]

    batching = {"HOURGLASS_BATCHING": "true" if name == SHARED else "false"}
    return replace(server, name=name, start=start, environment={**server.environment, **batching})


def rows(model: str, cores: int, timings: Timings) -> list[list[str]]:
    """Return a row for each load and number of connections; the last cell is empty unless sharing costs."""
    lines = []
    for (load, connections), by_server in timings.items():
        separate, shared = by_server[SEPARATE], by_server[SHARED]
        ratio = Spread.of(gain(old, new, cores) for old, new in zip(separate, shared, strict=True))
        assert ratio is not None
        times = [f"{median(timed.cpu_us for timed in each):.1f}" for each in (separate, shared)]
        spread = [f"{ratio.median:.3f}", f"{ratio.lowest:.3f} to {ratio.highest:.3f}"]
        missed = "missed" if ratio.median < LEAST_RATIO else ""
        lines.append([model, str(cores), load, str(connections), *times, *spread, missed])
    return lines


def gain(separate: Timed, shared: Timed, cores: int) -> float:
    """Return how much more a server answers with shared runs: by CPU time on one core, by answers on several."""
    return separate.cpu_us / shared.cpu_us if cores == 1 else shared.outcome.rate / separate.outcome.rate


if __name__ == "__main__":
    sys.exit(main())
