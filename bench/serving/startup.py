"""Contenders with the machine to themselves: check their answers, time their start, measure idle CPU and memory."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.serving.loads import LOADS, MODEL_NAMES, Array, Load, Request, Workload, WrongAnswer, ask
from bench.serving.measure import Cores
from bench.serving.processes import Server, StartError, memory_mb, peak_memory_mb, running, thread_seconds
from bench.serving.results import Footprint, Results, Skipped, Start
from bench.serving.servers import Contender, hourglass
from bench.serving.wrk import LoadError, Wrk

RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-3, 1e-4
FIRST_ANSWER_SECONDS = 10.0
"""Seconds from ready to the first correct answer, at most."""
SETTLE_SECONDS = 0.5
IDLE_SECONDS = 3.0
MAX_QUIET_CPU = 0.02
"""CPU seconds per second below which an idle server does not disturb the others."""
FOOTPRINT_CONNECTIONS = 16


@dataclass(frozen=True)
class Deployment:
    """A contender with one model, and the loads that it answers correctly."""

    model: str
    contender: Contender
    folder: Path
    workload: Workload
    requests: dict[Load, Request]
    idle_cpu: float = 0.0
    """CPU seconds per second without requests."""

    @classmethod
    def create(cls, model: str, contender: Contender, folder: Path) -> Deployment:
        """Return a deployment with every load that the contender supports, unchecked."""
        workload = Workload.read(folder)
        requests = contender.requests(workload.inputs)
        return cls(model, contender, folder, workload, {load: requests[load] for load in LOADS if load in requests})

    @property
    def is_quiet(self) -> bool:
        """True if it does not disturb other servers while it is idle."""
        return self.idle_cpu < MAX_QUIET_CPU

    def check(self, address: str, load: Load) -> None:
        """Send one request. Raises WrongAnswer unless the rows of the answer are onnxruntime's."""
        body = ask(address, self.requests[load])
        try:
            rows = self.contender.read(load, body)
        except Exception as error:  # a rival's answer may be anything
            raise WrongAnswer(f"not readable: {error!r}: {body[:80]!r}") from error
        compare(rows, self.workload.answers[load])


def compare(rows: Array, expected: Array) -> None:
    """Raise WrongAnswer unless the rows are close to the expected ones."""
    if rows.shape != expected.shape:
        raise WrongAnswer(f"shape {rows.shape}, expected {expected.shape}")
    if not np.allclose(rows, expected, rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE):
        raise WrongAnswer(f"differs from onnxruntime by {np.abs(rows - expected).max():.3g}")


@contextlib.contextmanager
def started(deployment: Deployment, core: int, results: Results) -> Iterator[Server]:
    """Yield a running server after its first correct answer, and add the time to `results`. Raises StartError."""
    load = next(iter(deployment.requests))
    with running(deployment.contender, deployment.folder, core) as server:
        limit = time.perf_counter() + FIRST_ANSWER_SECONDS
        while True:
            try:
                deployment.check(server.address, load)
                break
            except WrongAnswer as error:
                if time.perf_counter() > limit:
                    raise StartError(f"{load}: {error}") from error
                time.sleep(0.005)
        seconds = time.perf_counter() - server.started
        results.starts.append(Start(deployment.model, deployment.contender.name, seconds, server.cpu_seconds()))
        yield server


def examine(deployment: Deployment, cores: Cores, results: Results, seconds: float) -> Deployment | None:
    """
    Start a contender with the machine to itself, and return it with its idle CPU and its correctly answered loads.

    Unless `seconds` is 0, each request is sent for that long and the memory is added to the results. None, with the
    reason in the results, if the contender does not start.
    """
    if not deployment.requests:
        return None
    try:
        with started(deployment, cores.server, results) as server:
            correct = check_loads(deployment, server, results)
            footprint = measure_footprint(deployment, server, list(correct.values()), cores, seconds)
    except StartError as error:
        skip(results, deployment, "", str(error))
        return None
    if seconds:
        results.footprints.append(footprint)
    return replace(deployment, requests=correct, idle_cpu=footprint.idle_cpu)


def examine_bundled(root: Path, cores: Cores, results: Results, seconds: float) -> None:
    """Measure this server's footprint with the four bundled models, each under every load."""
    folders = [root / "bundled" / name / "1" for name in MODEL_NAMES["bundled"]]
    deployments = [Deployment.create("bundled", hourglass(folder.parent.name), folder) for folder in folders]
    requests = [request for deployment in deployments for request in deployment.requests.values()]
    try:
        with started(deployments[0], cores.server, results) as server:
            results.footprints.append(measure_footprint(deployments[0], server, requests, cores, seconds))
    except StartError as error:
        skip(results, deployments[0], "", str(error))


def measure_footprint(
    deployment: Deployment, server: Server, requests: list[Request], cores: Cores, seconds: float
) -> Footprint:
    """Measure a server when idle, then under each request for this many seconds; 0 leaves the requests out."""
    time.sleep(SETTLE_SECONDS)
    used, start = thread_seconds(server.stats()), time.perf_counter()
    time.sleep(IDLE_SECONDS)
    idle = max(0.0, thread_seconds(server.stats()) - used) / (time.perf_counter() - start)
    memory = memory_mb(server.stats())
    for request in requests if seconds else []:
        with contextlib.suppress(LoadError), tempfile.TemporaryDirectory() as scratch:
            Wrk(request, server.address, cores.load, Path(scratch)).run(FOOTPRINT_CONNECTIONS, seconds)
    stats = server.stats()
    return Footprint(deployment.model, deployment.contender.name, idle, memory, peak_memory_mb(stats), len(stats))


def check_loads(deployment: Deployment, server: Server, results: Results) -> dict[Load, Request]:
    """Return the requests whose answers are onnxruntime's; add the others to the results as skipped."""
    correct: dict[Load, Request] = {}
    for load, request in deployment.requests.items():
        try:
            deployment.check(server.address, load)
            correct[load] = request
        except WrongAnswer as error:
            skip(results, deployment, load, str(error))
    return correct


def skip(results: Results, deployment: Deployment, load: str, reason: str) -> None:
    """Record that something is not measured, in the results and on stderr."""
    results.skipped.append(Skipped(deployment.model, deployment.contender.name, load, reason))
    sys.stderr.write(f"skipped: {deployment.model} {deployment.contender.name} {load}: {reason}\n")
