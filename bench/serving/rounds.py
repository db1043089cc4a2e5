"""
The order in which everything is measured.

First each contender is started with the machine to itself, its answers are checked, and it is left idle
(`bench.serving.startup`). Then come the rounds. A server that is quiet when idle does not disturb the others, so all
quiet ones run together, and each load with each number of connections is measured on one after the other: a drift
within a minute affects all of them alike. Each round begins with another server. A server that polls or spins when idle
would take time from the others, so it is started by itself once per round and measured under all loads. onnxruntime
without a server is measured once per round, right after the measurement that it is compared with.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from bench.serving.bare import run_bare
from bench.serving.loads import MODEL_NAMES, Load
from bench.serving.measure import Cores, measure, settle
from bench.serving.processes import Server, StartError
from bench.serving.results import Measurement, Results
from bench.serving.rivals import RIVALS
from bench.serving.servers import ROOT, Contender, local_contenders
from bench.serving.startup import Deployment, examine, examine_bundled, skip, started
from bench.serving.wrk import LoadError, Wrk
from bench.wires import measure_wires

BARE_LOAD: Load = "binary-32"
BARE_CONNECTIONS = 16
MAX_FOOTPRINT_SECONDS = 1.0


@dataclass(frozen=True)
class Plan:
    """The models, contenders and loads to measure."""

    models: tuple[str, ...]
    contenders: tuple[str, ...]
    """Empty for all that are installed."""
    loads: tuple[Load, ...]
    connections: tuple[int, ...]
    seconds: float
    rounds: int
    cores: Cores
    quick: bool = False
    """Leave out memory and the bundled models."""


def run(plan: Plan, root: Path, results: Results) -> None:
    """Fill the results. The models are written to `root` unless they are there."""
    subprocess.run([sys.executable, "-m", "bench.serving.models", str(root)], cwd=ROOT, stdout=sys.stderr, check=True)
    deployments = {model: deploy(model, plan, root, results) for model in plan.models}
    if not plan.quick and (not plan.contenders or "hourglass" in plan.contenders):
        examine_bundled(root, plan.cores, results, min(MAX_FOOTPRINT_SECONDS, plan.seconds))
        results.wires += measure_wires()
    for number in range(1, plan.rounds + 1):
        for model in plan.models:
            run_round(number, deployments[model], plan, results)


def deploy(model: str, plan: Plan, root: Path, results: Results) -> list[Deployment]:
    """Return the contenders that start with a model, each with the loads that it answers correctly."""
    name = MODEL_NAMES[model][0]
    deployments = []
    for contender in choose([*local_contenders(name), *RIVALS], plan.contenders):
        sys.stderr.write(f"{model}: examining {contender.name}\n")
        deployment = Deployment.create(model, contender, root / model / name / "1")
        requests = {load: request for load, request in deployment.requests.items() if load in plan.loads}
        seconds = 0.0 if plan.quick else min(MAX_FOOTPRINT_SECONDS, plan.seconds)
        examined = examine(replace(deployment, requests=requests), plan.cores, results, seconds)
        if examined:
            deployments.append(examined)
    return deployments


def choose(contenders: list[Contender], names: tuple[str, ...]) -> list[Contender]:
    """Return the installed contenders with these names; all installed ones if `names` is empty."""
    unknown = set(names) - {contender.name for contender in contenders}
    if unknown:
        known = ", ".join(contender.name for contender in contenders)
        raise SystemExit(f"unknown contender {', '.join(sorted(unknown))}; expected some of {known}")
    named = [contender for contender in contenders if not names or contender.name in names]
    for contender in named:
        if not contender.is_installed:
            sys.stderr.write(f"{contender.name} is not installed: skipped\n")
    return [contender for contender in named if contender.is_installed]


def run_round(number: int, deployments: list[Deployment], plan: Plan, results: Results) -> None:
    """Measure the quiet servers together, then each of the others by itself."""
    quiet = [deployment for deployment in deployments if deployment.is_quiet]
    groups = [quiet, *([deployment] for deployment in deployments if not deployment.is_quiet)]
    for group in groups:
        with contextlib.ExitStack() as stack:
            servers: list[tuple[Deployment, Server]] = []
            for deployment in group:
                try:
                    servers.append((deployment, stack.enter_context(started(deployment, plan.cores.server, results))))
                except StartError as error:
                    skip(results, deployment, "", f"in round {number}: {error}")
            first = number % max(1, len(servers))
            measure_servers(number, servers[first:] + servers[:first], plan, results)


def measure_servers(number: int, servers: list[tuple[Deployment, Server]], plan: Plan, results: Results) -> None:
    """Measure every load with every number of connections, on each server in turn."""
    ours = next((deployment for deployment, _ in servers if deployment.contender.name == "hourglass"), None)
    for load in plan.loads:
        for connections in plan.connections:
            for deployment, server in servers:
                if load in deployment.requests:
                    measure_cell(number, deployment, server, load, connections, plan, results)
            if ours and (load, connections) == (BARE_LOAD, BARE_CONNECTIONS):
                bare = run_bare(number, ours.model, ours.folder, plan.seconds, plan.cores.server)
                results.bare.append(bare)
                sys.stderr.write(
                    f"{number} {bare.model:5} bare onnxruntime {bare.rate:.0f} batches/s {bare.cpu_us:.0f} us CPU\n"
                )


def measure_cell(
    number: int, deployment: Deployment, server: Server, load: Load, connections: int, plan: Plan, results: Results
) -> None:
    """Add one measurement to the results, or the reason why it failed."""
    with tempfile.TemporaryDirectory() as scratch:
        wrk = Wrk(deployment.requests[load], server.address, plan.cores.load, Path(scratch))
        try:
            timed = measure(wrk, server, connections, plan.seconds, plan.cores.server, deployment.idle_cpu)
        except LoadError as error:
            settle(server, deployment.idle_cpu)
            skip(results, deployment, load, f"in round {number} at {connections} connections: {error}")
            return
    measurement = Measurement(
        round=number,
        model=deployment.model,
        contender=deployment.contender.name,
        load=load,
        connections=connections,
        requests=timed.outcome.requests,
        seconds=timed.outcome.seconds,
        rate=timed.outcome.rate,
        cpu_us=timed.cpu_us,
        p50_us=timed.outcome.p50_us,
        p99_us=timed.outcome.p99_us,
        disturbance=timed.disturbance,
    )
    results.measurements.append(measurement)
    sys.stderr.write(f"{measurement}\n")
