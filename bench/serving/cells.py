"""
A cell: one contender with one model under one load from so many connections.

It is warmed up, then measured. Where fewer answers came than four a connection, it is measured again for four times as
long. Where other processes took more than a tenth of the servers' core meanwhile, it is measured again, three times at
most, and the time that was disturbed least is the one that counts: it is chosen by what others did, not by the result.
After each the server gets the time that it needs for the requests that were broken off.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.serving.contender import Load
from bench.serving.contenders import ROOT
from bench.serving.load import LoadError, Outcome, Wrk
from bench.serving.processes import busy_seconds
from bench.serving.results import BareRun, Measurement, Results
from bench.serving.servers import Server
from bench.serving.subjects import Cores, Subject, leave_out

WARM_UP_SECONDS = 0.5
LONGER = 4
TRIES, DISTURBED = 3, 0.1
MOST_SETTLE_SECONDS, GLANCE_SECONDS = 20.0, 0.1
BUSY = 0.15
"""CPU seconds a second, beyond what a server uses when idle, from which it still has something to do."""


@dataclass(frozen=True)
class Timed:
    """What wrk saw, the CPU time that the server used meanwhile, and the share of its core that others took."""

    outcome: Outcome
    cpu_seconds: float
    taken: float


def measure_cell(
    number: int,
    subject: Subject,
    server: Server,
    load: Load,
    connections: int,
    seconds: float,
    cores: Cores,
    results: Results,
) -> None:
    """One measurement in the results, or why there is none."""
    with tempfile.TemporaryDirectory() as scratch:
        wrk = Wrk(subject.requests[load], server.address, cores.load, Path(scratch))
        try:
            best = calmest(wrk, subject, server, connections, seconds, cores)
        except LoadError as error:
            settle(subject, server)
            leave_out(results, subject, load, f"in round {number} at {connections} connections: {error}")
            return
    measurement = Measurement(
        round=number,
        model=subject.model,
        contender=subject.contender.name,
        load=load,
        connections=connections,
        requests=best.outcome.requests,
        seconds=best.outcome.seconds,
        rate=best.outcome.rate,
        cpu_us=best.cpu_seconds / best.outcome.requests * 1e6,
        p50_us=best.outcome.p50_us,
        p99_us=best.outcome.p99_us,
        taken=best.taken,
    )
    results.measurements.append(measurement)
    sys.stderr.write(progress(measurement))


def progress(m: Measurement) -> str:
    """A line about one measurement."""
    return (
        f"{m.round} {m.model:5} {m.load:9} {m.connections:2} {m.contender:16} {m.rate:8.0f}/s {m.cpu_us:8.0f} us CPU, "
        f"p50 {m.p50_us / 1e3:8.2f} ms, p99 {m.p99_us / 1e3:8.2f} ms, others {m.taken:4.0%}\n"
    )


def calmest(wrk: Wrk, subject: Subject, server: Server, connections: int, seconds: float, cores: Cores) -> Timed:
    """Of the tries, the one that was disturbed least. Raises LoadError."""
    with contextlib.suppress(LoadError):
        wrk.run(connections, WARM_UP_SECONDS)
    settle(subject, server)
    tries = [timed(wrk, subject, server, connections, seconds, cores)]
    if tries[0].outcome.requests < LONGER * connections:
        seconds *= LONGER
        tries = [timed(wrk, subject, server, connections, seconds, cores)]
    while tries[-1].taken > DISTURBED and len(tries) < TRIES:
        tries.append(timed(wrk, subject, server, connections, seconds, cores))
    answered = [each for each in tries if each.outcome.requests]
    if not answered:
        raise LoadError(f"no answer in {seconds:g} s")
    return min(answered, key=lambda each: each.taken)


def timed(wrk: Wrk, subject: Subject, server: Server, connections: int, seconds: float, cores: Cores) -> Timed:
    """One measurement, and time for the server to come to rest."""
    used, busy, start = server.cpu_seconds(), busy_seconds(cores.server), time.perf_counter()
    outcome = wrk.run(connections, seconds)
    used, busy = server.cpu_seconds() - used, busy_seconds(cores.server) - busy
    taken = max(0.0, busy - used) / (time.perf_counter() - start)
    settle(subject, server)
    return Timed(outcome, used, taken)


def settle(subject: Subject, server: Server) -> None:
    """Wait until the server is as idle as it gets: it may go on with requests whose client has left."""
    limit, used = time.perf_counter() + MOST_SETTLE_SECONDS, server.cpu_seconds()
    while time.perf_counter() < limit:
        time.sleep(GLANCE_SECONDS)
        before, used = used, server.cpu_seconds()
        if used - before <= (subject.idle_cpu + BUSY) * GLANCE_SECONDS:
            return


def bare(number: int, subject: Subject, seconds: float, cores: Cores) -> BareRun:
    """onnxruntime without a server, on the servers' core."""
    command = ["taskset", "-c", str(cores.server), sys.executable, "-m", "bench.serving.bare"]
    command += [str(subject.folder), str(seconds)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    run = BareRun(number, subject.model, **json.loads(told.stdout))
    sys.stderr.write(f"{number} {subject.model:5} bare onnxruntime {run.rate:.0f} batches/s {run.cpu_us:.0f} us CPU\n")
    return run
