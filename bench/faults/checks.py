"""
The rows of another program that prints the same kind of table: DIR/faults.py beside DIR/traffic.py.

Its mixture asks /readyz too, and counts each 5xx as lost. During a drain 503 is the right answer to /readyz, so its
mixture is used without /readyz: whatever it then counts as lost is a request of a client.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.faults.row import Row
from bench.faults.server import Bench

PROGRAM = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import traffic
mixture = traffic.mixture
traffic.mixture = lambda *arguments: [pair for pair in mixture(*arguments) if b"/readyz" not in pair[1][:20]]
import faults
faults.main()
"""
EXPLANATIONS = {
    **dict.fromkeys(
        ("SIGHUP, 1 worker(s)", "SIGHUP, 2 worker(s)"),
        "It asks for other processes. Here each process reloads its models and goes on (decision 16).",
    ),
    "60 requests to 2 workers, then /v2 statistics 20 times": "The statistics of /v2 are those of the process that "
    "answers, as the guide says. /metrics adds up all workers.",
    "every model thread runs a graph that does not end": "It asks that /livez fails after 14 s. Here the run is "
    "stopped at HOURGLASS_RUN_SECONDS (60) and its request gets 504; /livez fails only if a run goes on 10 s longer.",
}
"""Rows, by their beginning, whose verdict asks for something else than this server does on purpose, and why."""
ENVIRONMENT = {"HOURGLASS_DRAIN_SECONDS": "1"}
"""One of its rows allows 6 s for a drain and 3 s of work."""


def rows_of_checks(bench: Bench, folder: Path, word: str) -> Iterator[Row]:
    """Run the program, and yield its rows as they come."""
    rounds = max(2, bench.rounds // 6)
    command = [sys.executable, "-c", PROGRAM, str(folder), "--command", bench.command, "--models", str(bench.models)]
    command += ["--scratch", str(bench.scratch / "checks"), "--rounds", str(rounds), "--only", word]
    environment = {**os.environ, **ENVIRONMENT}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if row := parse(line):
                yield row


def parse(line: str) -> Row | None:
    """Return the row of a line, or None for the head of the table and for anything else."""
    cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
    if len(cells) != 4 or cells[0] == "injected" or not cells[0].strip("-"):
        return None
    injected, expected, seen, verdict = cells
    if verdict != "PASS" and injected in EXPLANATIONS:
        return Row(injected, expected, seen, is_expected=True, explanation=f"explained: {EXPLANATIONS[injected]}")
    return Row(injected, expected, seen, verdict == "PASS")
