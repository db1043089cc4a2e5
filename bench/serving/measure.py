"""
The order in which everything is measured.

First each contender is started alone, its answers are checked, and it is left idle: `bench.serving.subjects`. Then come
the rounds. A server that is quiet when idle does not disturb the others, so all quiet ones are up together, and each
cell (a load with a number of connections) is measured of one after the other: what drifts within a minute hits all
alike. In every round another one begins. A server that polls or spins when idle would take time from the others; it is
started alone, once a round, and all its cells are measured. onnxruntime without a server is measured once a round,
right after the cell that it is compared with.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from bench.serving.cells import bare, measure_cell
from bench.serving.contender import Contender, Load
from bench.serving.contenders import ROOT, contenders, is_installed
from bench.serving.questions import KINDS
from bench.serving.results import Results
from bench.serving.servers import Server, StartError
from bench.serving.subjects import (
    Cores,
    Subject,
    check_alone,
    examine,
    examine_bundled,
    leave_out,
    new_subject,
    started,
)

BARE_CELL: tuple[Load, int] = ("binary-32", 16)


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    models: tuple[str, ...]
    contenders: tuple[str, ...]
    """Empty: all that are installed."""
    loads: tuple[Load, ...]
    connections: tuple[int, ...]
    seconds: float
    rounds: int
    cores: Cores
    quick: bool = False
    """Only the cells: no footprints."""


def measure(plan: Plan, root: Path, results: Results) -> None:
    """Fill the results; `root` holds, or gets, the models."""
    subprocess.run([sys.executable, "-m", "bench.serving.models", str(root)], cwd=ROOT, stdout=sys.stderr, check=True)
    subjects = {model: examined(model, plan, root, results) for model in plan.models}
    if not plan.quick and (not plan.contenders or "hourglass" in plan.contenders):
        examine_bundled(root, plan.cores, results, min(1.0, plan.seconds))
    for number in range(1, plan.rounds + 1):
        for model in plan.models:
            measure_round(number, subjects[model], plan, results)


def examined(model: str, plan: Plan, root: Path, results: Results) -> list[Subject]:
    """The contenders that come up with a model and answer rightly."""
    name = KINDS[model][0]
    found = []
    for contender in chosen(contenders(name), plan.contenders):
        sys.stderr.write(f"{model}: examining {contender.name}\n")
        subject = new_subject(model, contender, root / model / name / "1")
        subject = replace(subject, requests={k: v for k, v in subject.requests.items() if k in plan.loads})
        if plan.quick:
            right = check_alone(subject, plan.cores, results)
        else:
            right = examine(subject, plan.cores, results, min(1.0, plan.seconds))
        if right:
            found.append(right)
    return found


def chosen(all_of_them: list[Contender], names: tuple[str, ...]) -> list[Contender]:
    """Those with such names, all where none is given, without those that are not installed."""
    unknown = set(names) - {contender.name for contender in all_of_them}
    if unknown:
        raise SystemExit(f"no contender {', '.join(sorted(unknown))}; there are "
                         f"{', '.join(contender.name for contender in all_of_them)}")  # fmt: skip
    wanted = [contender for contender in all_of_them if not names or contender.name in names]
    for contender in wanted:
        if not is_installed(contender):
            sys.stderr.write(f"{contender.name} is not installed: skipped\n")
    return [contender for contender in wanted if is_installed(contender)]


def measure_round(number: int, subjects: list[Subject], plan: Plan, results: Results) -> None:
    """The quiet ones together, cell by cell; then each of the others alone."""
    quiet = [subject for subject in subjects if subject.quiet]
    groups = [quiet, *([subject] for subject in subjects if not subject.quiet)]
    for group in groups:
        with contextlib.ExitStack() as stack:
            servers: list[tuple[Subject, Server]] = []
            for subject in group:
                try:
                    servers.append((subject, stack.enter_context(started(subject, plan.cores.server, results))))
                except StartError as error:
                    leave_out(results, subject, "", f"in round {number}: {error}")
            turn = number % max(1, len(servers))
            measure_cells(number, servers[turn:] + servers[:turn], plan, results)


def measure_cells(number: int, servers: list[tuple[Subject, Server]], plan: Plan, results: Results) -> None:
    """Every load with every number of connections, of each server in turn."""
    for load in plan.loads:
        for connections in plan.connections:
            for subject, server in servers:
                if load in subject.requests:
                    measure_cell(number, subject, server, load, connections, plan.seconds, plan.cores, results)
            ours = next((subject for subject, _ in servers if subject.contender.name == "hourglass"), None)
            if ours and (load, connections) == BARE_CELL:
                results.bare.append(bare(number, ours, plan.seconds, plan.cores))
