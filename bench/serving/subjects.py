"""What can be measured of a contender: started alone, its answers checked, its needs noted."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.serving.checks import WrongAnswer, check
from bench.serving.contender import Contender, Load, Request
from bench.serving.contenders import hourglass
from bench.serving.load import LoadError, Wrk
from bench.serving.processes import memory_mb, peak_memory_mb, run_seconds
from bench.serving.questions import KINDS, LOADS, Questions
from bench.serving.results import Footprint, LeftOut, Results, Start
from bench.serving.servers import Server, StartError, running

FIRST_ANSWER_SECONDS = 10.0
"""After a server has said that it is ready."""
SETTLE_SECONDS = 0.5
IDLE_SECONDS = 3.0
QUIET = 0.02
"""CPU seconds a second below which an idle server does not disturb the others."""


@dataclass(frozen=True)
class Cores:
    """Which core the servers have, and which the load has."""

    server: int
    load: int


@dataclass(frozen=True)
class Subject:
    """A contender with one model, and the loads that it answers rightly."""

    model: str
    contender: Contender
    folder: Path
    questions: Questions
    requests: dict[Load, Request]
    idle_cpu: float = 0.0
    """CPU seconds a second, with nothing to do."""

    @property
    def quiet(self) -> bool:
        """Whether the others are not disturbed while it is idle."""
        return self.idle_cpu < QUIET


def new_subject(model: str, contender: Contender, folder: Path) -> Subject:
    """With every load that the contender says it takes."""
    questions = Questions.read(folder)
    asked = contender.requests(questions.inputs)
    return Subject(model, contender, folder, questions, {load: asked[load] for load in LOADS if load in asked})


@contextlib.contextmanager
def started(subject: Subject, core: int, results: Results) -> Iterator[Server]:
    """A running server that has given its first right answer, with the time to it noted. Raises StartError."""
    load, request = next(iter(subject.requests.items()))
    with running(subject.contender, subject.folder, core) as server:
        limit = time.perf_counter() + FIRST_ANSWER_SECONDS
        while True:
            try:
                check(subject.contender, server.address, load, request, subject.questions)
                break
            except WrongAnswer as error:
                if time.perf_counter() > limit:
                    raise StartError(f"{load}: {error}") from error
                time.sleep(0.005)
        seconds = time.perf_counter() - server.started
        results.starts.append(Start(subject.model, subject.contender.name, seconds, server.cpu_seconds()))
        yield server


def check_alone(subject: Subject, cores: Cores, results: Results) -> Subject | None:
    """
    Start a contender alone: which loads it answers rightly, what it uses when idle.

    None where it does not come up or answers nothing rightly; the results say why.
    """
    return examine(subject, cores, results, seconds=0.0)


def examine(subject: Subject, cores: Cores, results: Results, seconds: float) -> Subject | None:
    """
    As `check_alone`, and how much memory it takes under load: each request for so many seconds, unless that is 0.

    None where it does not come up or answers nothing rightly; the results say why.
    """
    if not subject.requests:
        return None
    try:
        with started(subject, cores.server, results) as server:
            right = answered_rightly(subject, server, results)
            footprint = measure_footprint(subject, server, list(right.values()), cores, seconds)
    except StartError as error:
        leave_out(results, subject, "", str(error))
        return None
    if seconds:
        results.footprints.append(footprint)
    return replace(subject, requests=right, idle_cpu=footprint.idle_cpu)


def examine_bundled(root: Path, cores: Cores, results: Results, seconds: float) -> None:
    """This server with the four bundled models, each of which is asked for everything."""
    folders = [root / "bundled" / name / "1" for name in KINDS["bundled"]]
    subjects = [new_subject("bundled", hourglass(folder.parent.name), folder) for folder in folders]
    requests = [request for subject in subjects for request in subject.requests.values()]
    try:
        with started(subjects[0], cores.server, results) as server:
            results.footprints.append(measure_footprint(subjects[0], server, requests, cores, seconds))
    except StartError as error:
        leave_out(results, subjects[0], "", str(error))


def measure_footprint(
    subject: Subject, server: Server, requests: list[Request], cores: Cores, seconds: float
) -> Footprint:
    """Idle, then under each request at 16 connections for so long; not at all, where that is 0."""
    time.sleep(SETTLE_SECONDS)
    used, start = run_seconds(server.stats()), time.perf_counter()
    time.sleep(IDLE_SECONDS)
    idle = max(0.0, run_seconds(server.stats()) - used) / (time.perf_counter() - start)
    memory = memory_mb(server.stats())
    for request in requests if seconds else []:
        with contextlib.suppress(LoadError), tempfile.TemporaryDirectory() as scratch:
            Wrk(request, server.address, cores.load, Path(scratch)).run(16, seconds)
    stats = server.stats()
    return Footprint(subject.model, subject.contender.name, idle, memory, peak_memory_mb(stats), len(stats))


def answered_rightly(subject: Subject, server: Server, results: Results) -> dict[Load, Request]:
    """The loads whose answers are onnxruntime's; the others are noted."""
    right: dict[Load, Request] = {}
    for load, request in subject.requests.items():
        try:
            check(subject.contender, server.address, load, request, subject.questions)
            right[load] = request
        except WrongAnswer as error:
            leave_out(results, subject, load, str(error))
    return right


def leave_out(results: Results, subject: Subject, load: str, why: str) -> None:
    """Note what is not measured, here and on stderr."""
    results.left_out.append(LeftOut(subject.model, subject.contender.name, load, why))
    sys.stderr.write(f"left out: {subject.model} {subject.contender.name} {load}: {why}\n")
