"""
Import pairs as other tools export them, and print a row for each: what came, what was adapted or refused.

    python -m bench.imports [WORD ...] [--page docs/cases.md]

A word selects the trials whose source or situation contains it. Exits with 1 if an outcome is not right.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from bench.imports.foreign_graphs import FOREIGN
from bench.imports.runtime_graphs import RUNTIME
from bench.imports.torch_pairs import TORCH
from bench.imports.trial import Outcome, Trial, attempt
from bench.serving.report import fill

HEADER = (
    "| source | situation | options | outcome | difference | adapted, or why not | |\n|---|---|---|---|---|---|---|"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table as Markdown and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.imports", description="Import pairs of other tools.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only sources or situations that contain it")
    parser.add_argument("--page", type=Path, help="Markdown page whose block bench:imports gets the table")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore")  # of torch's exporters, about their own future
    logging.disable(logging.WARNING)
    words = [word.lower() for word in options.words]
    trials = [
        trial
        for trial in (*TORCH, *FOREIGN, *RUNTIME)
        if not words or any(word in f"{trial.source} {trial.situation}".lower() for word in words)
    ]
    print(HEADER)
    lines, right = [HEADER], 0
    for trial in trials:
        with tempfile.TemporaryDirectory() as folder:
            outcome = attempt(trial, Path(folder))
        right += outcome.is_right(trial)
        lines.append(row(trial, outcome))
        print(lines[-1], flush=True)
    count = f"{right} of {len(trials)} are right"
    print(f"\n{count}")
    if options.page:
        options.page.write_text(fill(options.page.read_text(), {"imports": "\n".join([*lines, "", count])}))
    return 0 if right == len(trials) else 1


def row(trial: Trial, outcome: Outcome) -> str:
    """Return a row of the table."""
    difference = "" if outcome.difference is None else f"{outcome.difference:.1e}"
    cells = (trial.source, trial.situation, trial.options, outcome.verdict, difference, outcome.words)
    verdict = "right" if outcome.is_right(trial) else "WRONG"
    return f"| {' | '.join([cell.replace('|', chr(92) + '|') for cell in cells])} | {verdict} |"


if __name__ == "__main__":
    sys.exit(main())
