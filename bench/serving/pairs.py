"""Two servers measured in turn, so that what disturbs the machine disturbs both."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.serving.loads import Request
from bench.serving.measure import Cores, Timed, measure
from bench.serving.processes import Server
from bench.serving.wrk import Wrk

Timings = dict[tuple[str, int], dict[str, list[Timed]]]
"""The measurements of each round, by load and connections, then by server."""


def measure_round(
    number: int,
    servers: Mapping[str, Server],
    requests: Mapping[str, Request],
    connections: Sequence[int],
    seconds: float,
    cores: Cores,
    timings: Timings,
) -> None:
    """
    Add one round: each load on every server, one right after the other. Raises LoadError.

    The rounds take turns in which server is first; the first round's number is 0.
    """
    names = list(servers) if number % 2 == 0 else list(servers)[::-1]
    for load, request in requests.items():
        for count in connections:
            by_server = timings.setdefault((load, count), {name: [] for name in servers})
            for name in names:
                with tempfile.TemporaryDirectory() as scratch:
                    wrk = Wrk(request, servers[name].address, cores.load, Path(scratch))
                    timed = measure(wrk, servers[name], count, seconds, cores.server, idle_cpu=0.0)
                by_server[name].append(timed)
                sys.stderr.write(f"{number + 1} {load:12} {count:2} {name:8} {timed.cpu_us:8.1f} us CPU\n")
