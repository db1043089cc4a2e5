"""
Try the situations of `bench.cases`, and print one row for each: before and after, right or not.

    python -m bench.cases [SUBJECT or ID ...] [--before CHECKOUT] [--full] [--page docs/cases.md]

Exits with 1 if one is not right after.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.cases.case import Case
from bench.cases.trial import ROOT, outcomes, selected
from bench.serving.report import fill

HEADER = "| case | situation | before | | after | |\n|---|---|---|---|---|---|"

MAX_OUTCOME_CHARACTERS = 160
"""Characters of an outcome that the table shows: its end, where commands say what went wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table as Markdown and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.cases", description="Try situations that users meet.")
    parser.add_argument("words", nargs="*", metavar="SUBJECT or ID", help="only these (default: all)")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="try another checkout, too")
    parser.add_argument("--full", action="store_true", help="show outcomes in full")
    parser.add_argument("--page", type=Path, help="Markdown page whose blocks bench:cases-SUBJECT get the tables")
    options = parser.parse_args(arguments)
    before = {(subject, number): text for subject, number, text in _before(options.before, options.words)}
    cases = {(subject, case.id): case for subject, case in selected(options.words)}
    print(HEADER, flush=True)
    tables: dict[str, Table] = {}
    for subject, number, outcome in outcomes(ROOT, options.words):
        table = tables.setdefault(subject, Table([], [], []))
        row = table.add(cases[subject, number], before.get((subject, number)), outcome, options.full)
        print(f"| {subject} {row}", flush=True)
    after = [right for table in tables.values() for right in table.after]
    print(f"\n{counts(after, [right for table in tables.values() for right in table.before])}", flush=True)
    if options.page:
        blocks = {f"cases-{subject}": table.markdown() for subject, table in tables.items()}
        options.page.write_text(fill(options.page.read_text(), blocks))
    return 0 if sum(after) == len(cases) else 1


class Table(NamedTuple):
    """The rows of a subject, and whether each is right."""

    rows: list[str]
    after: list[bool]
    before: list[bool]
    """Empty if no other checkout was tried."""

    def add(self, case: Case, before: str | None, outcome: str, full: bool) -> str:
        """Add the outcomes of a case, and return its row without the bar at the beginning."""
        cells = [case.id, case.situation]
        for text, verdicts in ((before, self.before), (outcome, self.after)):
            if text is not None:
                verdicts.append(case.is_right(text))
            verdict = "" if text is None else "right" if verdicts[-1] else "wrong"
            cells += [shown(case.evidence(text or ""), full), verdict]
        self.rows.append(f"{' | '.join(cells)} |")
        return self.rows[-1]

    def markdown(self) -> str:
        """Return the table, and the number of rows that are right."""
        return "\n".join([HEADER, *(f"| {row}" for row in self.rows), "", counts(self.after, self.before)])


def counts(after: Sequence[bool], before: Sequence[bool]) -> str:
    """Return how many outcomes are right."""
    earlier = f"; before, {sum(before)}" if before else ""
    return f"{sum(after)} of {len(after)} are right{earlier}"


def shown(outcome: str, full: bool = False) -> str:
    """Return an outcome as a cell of a Markdown table, shortened to its end unless it is shown in full."""
    plain = "".join(character if character.isprintable() else " " for character in outcome)
    line = " ".join(plain.split()).replace("|", "\\|")
    return line if full or len(line) <= MAX_OUTCOME_CHARACTERS else f"…{line[-MAX_OUTCOME_CHARACTERS:]}"


def _before(checkout: Path | None, words: Sequence[str]) -> list[tuple[str, str, str]]:
    return [] if checkout is None else list(outcomes(checkout, words))


if __name__ == "__main__":
    sys.exit(main())
