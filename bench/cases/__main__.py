"""
Try the situations of `bench.cases`, and print one row for each: before and after, right or not.

    python -m bench.cases [SUBJECT or ID ...] [--before CHECKOUT] [--full]

Exits with 1 if one is not right after.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.cases.trial import ROOT, outcomes, selected

MAX_OUTCOME_CHARACTERS = 160
"""Characters of an outcome that the table shows: its end, where commands say what went wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table as Markdown and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.cases", description="Try situations that users meet.")
    parser.add_argument("words", nargs="*", metavar="SUBJECT or ID", help="only these (default: all)")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="try another checkout, too")
    parser.add_argument("--full", action="store_true", help="show outcomes in full")
    options = parser.parse_args(arguments)
    before = {(subject, number): text for subject, number, text in _before(options.before, options.words)}
    cases = {(subject, case.id): case for subject, case in selected(options.words)}
    print("| case | situation | before | | after | |\n|---|---|---|---|---|---|", flush=True)
    right = 0
    for subject, number, outcome in outcomes(ROOT, options.words):
        case = cases[subject, number]
        cells = [f"{subject} {number}", case.situation]
        for text in (before.get((subject, number)), outcome):
            verdict = "" if text is None else "right" if case.is_right(text) else "wrong"
            cells += [shown(case.evidence(text or ""), options.full), verdict]
        right += case.is_right(outcome)
        print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\n{right} of {len(cases)} are right", flush=True)
    return 0 if right == len(cases) else 1


def shown(outcome: str, full: bool = False) -> str:
    """Return an outcome as a cell of a Markdown table, shortened to its end unless it is shown in full."""
    line = " ".join(outcome.split()).replace("|", "\\|")
    return line if full or len(line) <= MAX_OUTCOME_CHARACTERS else f"…{line[-MAX_OUTCOME_CHARACTERS:]}"


def _before(checkout: Path | None, words: Sequence[str]) -> list[tuple[str, str, str]]:
    return [] if checkout is None else list(outcomes(checkout, words))


if __name__ == "__main__":
    sys.exit(main())
