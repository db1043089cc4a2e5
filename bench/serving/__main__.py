"""
This server beside its rivals: rate, CPU time, latency, memory. Results as JSON, tables to stdout, progress to stderr.

    .venv/bin/python -m bench.serving --output serving.json --report docs
    .venv/bin/python -m bench.serving --results serving.json --report docs

The second command measures nothing: it prints and writes the tables of a run that was. Servers run on the first core
that this process may use, the load and this program on the last. `bench.serving.measure` says in which order.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.serving.load import LoadError, wrk
from bench.serving.machine import describe
from bench.serving.measure import Plan, measure
from bench.serving.questions import LOADS
from bench.serving.report import write_report
from bench.serving.results import Results
from bench.serving.subjects import Cores
from bench.serving.summary import Summary
from bench.serving.tables import tables
from bench.serving.targets import findings


def main() -> int:
    """0; with --strict, 1 where something that must be shown is not."""
    options = build_parser().parse_args()
    results = Results.read(options.results) if options.results else None
    if results is None:
        try:
            wrk()
        except LoadError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        results = run(options)
    summary = Summary(results)
    found = findings(summary)
    for name, table in tables(summary).items():
        sys.stdout.write(f"{name}\n\n{table}\n\n")
    if options.report:
        write_report(summary, options.report)
    return 1 if options.strict and any(one.met is not True for one in found) else 0


def run(options: argparse.Namespace) -> Results:
    """Measure; what is there after an interruption is written too."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        sys.stderr.write("there is one core: servers and load share it, so rates say little\n")
    plan = Plan(
        models=options.models,
        contenders=options.contenders,
        loads=options.loads,
        connections=options.connections,
        seconds=options.seconds,
        rounds=options.rounds,
        cores=Cores(server=cores[0], load=cores[-1]),
        quick=options.quick,
    )
    results = Results(describe(), {"seconds": plan.seconds, "rounds": plan.rounds})
    os.sched_setaffinity(0, {plan.cores.load})
    with tempfile.TemporaryDirectory() as folder:
        try:
            measure(plan, options.folder or Path(folder), results)
        finally:
            if results.measurements:
                results.write(options.output)
    return results


def build_parser() -> argparse.ArgumentParser:
    """Its options."""
    parser = argparse.ArgumentParser(
        prog="bench.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--models", type=words("dense", "conv"), default=("dense", "conv"), help="which (dense,conv)")
    add("--contenders", type=words(), default=(), help="which, by name (all that are installed)")
    add("--loads", type=words(*LOADS), default=LOADS, help=f"which ({','.join(LOADS)})")
    add("--connections", type=numbers, default=(1, 16, 64), help="how many at once (1,16,64)")
    add("--seconds", type=float, default=3.0, help="of a measurement (3)")
    add("--rounds", type=int, default=3, help="of all measurements (3)")
    add("--quick", action="store_true", help="leave out memory and the bundled models")
    add("--folder", type=Path, help="where the models are kept between runs (a temporary folder)")
    add("--output", type=Path, default=Path("serving.json"), help="where the results are written (serving.json)")
    add("--results", type=Path, help="read these results; measure nothing")
    add(
        "--report", type=Path, metavar="DIR", help="write the tables and the plot into DIR/benchmarks.md and DIR/images"
    )
    add("--strict", action="store_true", help="end with 1 unless everything that must be shown was")
    return parser


def words(*known: str) -> Callable[[str], tuple[str, ...]]:
    """A type of an option: names, separated by commas."""

    def parse(text: str) -> tuple[str, ...]:
        given = tuple(text.split(","))
        if known and not set(given) <= set(known):
            raise argparse.ArgumentTypeError(f"{text!r}: expected some of {','.join(known)}")
        return given

    return parse


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers, separated by commas."""
    return tuple(int(word) for word in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
