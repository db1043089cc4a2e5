"""
Measure this server beside others: rate, CPU time, latency, memory.

    .venv/bin/python -m bench.serving --output serving.json --report docs
    .venv/bin/python -m bench.serving --results serving.json --report docs

Results are written as JSON, tables to stdout, progress to stderr. The second command measures nothing: it prints and
writes the tables of an earlier run. Servers run on the first core that this process may use, the load generator and
this program on the last. `bench.serving.rounds` describes the order of the measurements.

Contenders: `hourglass` is this server; `floor` a bare ASGI application without checks; `written` a typical FastAPI
application as people write it, and `written-typed` the same with response models; the others are named as they are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.serving.loads import LOADS
from bench.serving.measure import pin_to_last_core
from bench.serving.report import tables, write_report
from bench.serving.results import Results, describe_machine
from bench.serving.rounds import Plan, run
from bench.serving.summary import Summary
from bench.serving.targets import targets
from bench.serving.wrk import LoadError, find_wrk


def main() -> int:
    """Measure or read results, print the tables, and return 1 if --strict is given and a target is not met."""
    options = build_parser().parse_args()
    results = Results.read(options.results) if options.results else None
    if results is None:
        try:
            find_wrk()
        except LoadError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        results = measure_all(options)
    summary = Summary(results)
    for name, table in tables(summary).items():
        sys.stdout.write(f"{name}\n\n{table}\n\n")
    if options.report:
        write_report(summary, options.report)
    return 1 if options.strict and any(target.is_met is not True for target in targets(summary)) else 0


def measure_all(options: argparse.Namespace) -> Results:
    """Measure everything; after an interruption, write the results so far."""
    machine = describe_machine()  # before this process moves to one core
    plan = Plan(
        models=options.models,
        contenders=options.contenders,
        loads=options.loads,
        connections=options.connections,
        seconds=options.seconds,
        rounds=options.rounds,
        cores=pin_to_last_core(),
        quick=options.quick,
    )
    results = Results(machine, {"seconds": plan.seconds, "rounds": plan.rounds})
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(plan, options.folder or Path(folder), results)
        finally:
            if results.measurements:
                results.write(options.output)
    return results


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="bench.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--models", type=words("dense", "conv"), default=("dense", "conv"), help="models (dense,conv)")
    add("--contenders", type=words(), default=(), help="contenders by name (all that are installed)")
    add("--loads", type=words(*LOADS), default=LOADS, help=f"loads ({','.join(LOADS)})")
    add("--connections", type=integers, default=(1, 16, 64), help="numbers of connections (1,16,64)")
    add("--seconds", type=float, default=3.0, help="seconds per measurement (3)")
    add("--rounds", type=int, default=3, help="repetitions of all measurements (3)")
    add("--quick", action="store_true", help="leave out memory and the bundled models")
    add("--folder", type=Path, help="folder that keeps the models between runs (a temporary folder)")
    add("--output", type=Path, default=Path("serving.json"), help="file for the results (serving.json)")
    add("--results", type=Path, help="read these results; measure nothing")
    add(
        "--report", type=Path, metavar="DIR", help="write the tables and the plot into DIR/benchmarks.md and DIR/images"
    )
    add("--strict", action="store_true", help="return 1 unless every target is met")
    return parser


def words(*known: str) -> Callable[[str], tuple[str, ...]]:
    """Return an option's type: names, separated by commas, each among the known ones if there are any."""

    def parse(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if known and not set(names) <= set(known):
            raise argparse.ArgumentTypeError(f"{text!r}: expected some of {','.join(known)}")
        return names

    return parse


def integers(text: str) -> tuple[int, ...]:
    """Parse whole numbers, separated by commas."""
    return tuple(int(word) for word in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
