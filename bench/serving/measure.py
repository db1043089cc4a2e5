"""
One measurement: one server under one load from a number of connections.

The server is warmed up, then measured. If it gave fewer than four answers per connection, it is measured again for four
times as long. If other processes took more than a tenth of the servers' core meanwhile, it is measured again, three
times at most, and the least disturbed measurement counts: it is chosen by the work of others, not by its result. After
each measurement the server gets time to finish the requests that were broken off.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass

from bench.serving.processes import Server, busy_seconds
from bench.serving.wrk import LoadError, Outcome, Wrk

WARM_UP_SECONDS = 0.5
MIN_ANSWERS_PER_CONNECTION = 4
LONGER_FACTOR = 4
MAX_TRIES = 3
MAX_DISTURBANCE = 0.1
"""Share of the servers' core that other processes may take before a measurement is repeated."""
MAX_SETTLE_SECONDS = 20.0
POLL_SECONDS = 0.1
MAX_SETTLED_CPU = 0.15
"""CPU seconds per second, beyond a server's use when idle, above which it still works on old requests."""


@dataclass(frozen=True)
class Cores:
    """The core of the servers and the core of the load generator."""

    server: int
    load: int


@dataclass(frozen=True)
class Timed:
    """The numbers of one measurement."""

    outcome: Outcome
    cpu_seconds: float
    """CPU time that the server's processes used."""
    disturbance: float
    """Share of the servers' core that other processes took, or other guests of the host."""

    @property
    def cpu_us(self) -> float:
        """CPU time per answer, in microseconds."""
        return self.cpu_seconds / self.outcome.requests * 1e6


def pin_to_last_core() -> Cores:
    """Move this process to the last core that it may use, and return that one and the first, which the servers get."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        sys.stderr.write("only one core: servers and load generator share it, so the rates are not meaningful\n")
    os.sched_setaffinity(0, {cores[-1]})
    return Cores(server=cores[0], load=cores[-1])


def measure(wrk: Wrk, server: Server, connections: int, seconds: float, core: int, idle_cpu: float) -> Timed:
    """Return the least disturbed of several measurements of a server on a core. Raises LoadError."""
    with contextlib.suppress(LoadError):
        wrk.run(connections, WARM_UP_SECONDS)
    settle(server, idle_cpu)
    tries = [measure_once(wrk, server, connections, seconds, core, idle_cpu)]
    if tries[0].outcome.requests < MIN_ANSWERS_PER_CONNECTION * connections:
        seconds *= LONGER_FACTOR
        tries = [measure_once(wrk, server, connections, seconds, core, idle_cpu)]
    while tries[-1].disturbance > MAX_DISTURBANCE and len(tries) < MAX_TRIES:
        tries.append(measure_once(wrk, server, connections, seconds, core, idle_cpu))
    answered = [each for each in tries if each.outcome.requests]
    if not answered:
        raise LoadError(f"no answer in {seconds:g} s")
    return min(answered, key=lambda each: each.disturbance)


def measure_once(wrk: Wrk, server: Server, connections: int, seconds: float, core: int, idle_cpu: float) -> Timed:
    """Measure once, then let the server settle. Raises LoadError."""
    used, busy, start = server.cpu_seconds(), busy_seconds(core), time.perf_counter()
    outcome = wrk.run(connections, seconds)
    used, busy = server.cpu_seconds() - used, busy_seconds(core) - busy
    disturbance = max(0.0, busy - used) / (time.perf_counter() - start)
    settle(server, idle_cpu)
    return Timed(outcome, used, disturbance)


def settle(server: Server, idle_cpu: float) -> None:
    """Wait until the server is as idle as it gets: it may still work on requests whose clients have left."""
    limit, used = time.perf_counter() + MAX_SETTLE_SECONDS, server.cpu_seconds()
    while time.perf_counter() < limit:
        time.sleep(POLL_SECONDS)
        before, used = used, server.cpu_seconds()
        if used - before <= (idle_cpu + MAX_SETTLED_CPU) * POLL_SECONDS:
            return
