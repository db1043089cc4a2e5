"""Numbers of tables and arrays: their precision, windows of series, archives as they are published, tiny sets."""

from __future__ import annotations

from pathlib import Path

from bench.cases.case import Case
from bench.cases.programs import train


def unix_seconds(scratch: Path) -> str:
    """Train on a column of Unix seconds that all differ, by 1 second each."""
    rows = "\n".join(f"{1_700_000_000 + second},{second % 3}" for second in range(300))
    (scratch / "t.csv").write_text(f"t,v\n{rows}\n")
    return train(scratch, "table-ae", "--data", "t.csv", "--name", "t")


CASES = [
    Case("1.1", "a column of Unix seconds, 300 rows that differ", unix_seconds, r"exit 0.*duplicates 0 rows.*\bt\b"),
]
"""Situations whose kind is described in words; the outcome must hold what a user needs to know."""
