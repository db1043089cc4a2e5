"""
Cause faults on servers of this repository, and print a Markdown table of what was seen.

    .venv/bin/python -m bench.faults [--only WORD] [--quick] [--checks DIR] [--page docs/faults.md]

The exit code is 1 if a row is not as expected. All of it takes about 40 minutes; some faults need Linux and root.
`--checks` also runs DIR/faults.py, and adds its rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.faults.causes import connections, endings, folders, machine, memory, processes, requests, runs
from bench.faults.checks import rows_of_checks
from bench.faults.row import HEADER, Row
from bench.faults.server import Bench
from bench.serving.report import fill

Fault = Callable[[Bench], Iterator[Row]]
FAULTS: dict[str, Fault] = {
    "load": runs.capacity,
    "queue": runs.queue,
    "stuck-runs": runs.stuck,
    "memory": memory.together,
    "sigterm": endings.sigterm,
    "signals": endings.signals,
    "drain": endings.drain,
    "unfinished": endings.unfinished,
    "early-sigterm": endings.early,
    "workers": processes.workers,
    "parent": processes.parent,
    "start": processes.start,
    "metrics": processes.metrics,
    "kubernetes": processes.kubernetes,
    "folder-changes": folders.changes,
    "reloads": folders.reloads,
    "folders-at-start": folders.at_start,
    "no-models": folders.nothing_valid,
    "log": machine.log,
    "read-only": machine.read_only,
    "slow-clients": connections.slow,
    "long-heads": connections.heads,
    "upgrades": connections.upgrades,
    "floods": connections.floods,
    "descriptors": connections.descriptors,
    "pipelined": connections.pipelined,
    "rfc-9112": requests.heads,
    "bodies": requests.bodies,
    "document": requests.document,
}


def main() -> int:
    """Print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help=f"faults whose name has it: {', '.join(FAULTS)}")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and shorter loads")
    parser.add_argument("--rounds", type=int, default=0, help="restarts of each kind under load (60, quick: 3)")
    parser.add_argument("--checks", type=Path, metavar="DIR", help="also run DIR/faults.py")
    parser.add_argument("--page", type=Path, help="Markdown page whose block bench:faults gets the table")
    parser.add_argument("--only-checks", action="store_true", help="run nothing but DIR/faults.py")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 60)
    sys.stdout.write(HEADER)
    with tempfile.TemporaryDirectory(prefix="hourglass-faults-") as scratch:
        bench = Bench(Path(scratch), rounds=rounds, is_quick=options.quick)
        faults = {} if options.only_checks else {name: fault for name, fault in FAULTS.items() if options.only in name}
        rows = [row for name, fault in faults.items() for row in print_rows(name, fault(bench))]
        if options.checks:
            rows += print_rows("checks", rows_of_checks(bench, options.checks.resolve(), options.only))
    if options.page:
        table = HEADER + "".join(row.markdown() for row in rows)
        options.page.write_text(fill(options.page.read_text(), {"faults": table.rstrip()}))
    return 0 if all(row.is_expected for row in rows) else 1


def print_rows(name: str, rows: Iterator[Row]) -> list[Row]:
    """Print rows as they come, and return them. A fault that cannot be caused is a row, too."""
    printed = []
    try:
        for row in rows:
            printed.append(row)
            print_row(row)
    except Exception as error:
        printed.append(Row(name, "", f"could not be caused: {error!r:.300}", is_expected=False))
        print_row(printed[-1])
    return printed


def print_row(row: Row) -> None:
    """Print a row at once, though the output may be a pipe."""
    sys.stdout.write(row.markdown())
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
