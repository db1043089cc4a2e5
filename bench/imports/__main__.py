"""
Import pairs as other tools export them, and print a row for each: what came, what was adapted or refused.

    python -m bench.imports [WORD ...]

A word selects the trials whose source or situation contains it. Exits with 1 if an outcome is not right.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from bench.imports.foreign_graphs import FOREIGN
from bench.imports.runtime_graphs import RUNTIME
from bench.imports.torch_pairs import TORCH
from bench.imports.trial import attempt


def main(words: Sequence[str]) -> int:
    """Print the table as Markdown and return the exit code."""
    warnings.filterwarnings("ignore")  # of torch's exporters, about their own future
    logging.disable(logging.WARNING)
    trials = [
        trial
        for trial in (*TORCH, *FOREIGN, *RUNTIME)
        if not words or any(word.lower() in f"{trial.source} {trial.situation}".lower() for word in words)
    ]
    print(
        "| source | situation | options | outcome | difference | adapted, or why not | |\n|---|---|---|---|---|---|---|"
    )
    right = 0
    for trial in trials:
        with tempfile.TemporaryDirectory() as folder:
            outcome = attempt(trial, Path(folder))
        shown = "" if outcome.difference is None else f"{outcome.difference:.1e}"
        verdict = "right" if outcome.is_right(trial) else "WRONG"
        right += verdict == "right"
        options, reason = trial.options.replace("|", "\\|"), outcome.words.replace("|", "\\|")
        cells = (trial.source, trial.situation, options, outcome.verdict, shown, reason, verdict)
        print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\n{right} of {len(trials)} are right")
    return 0 if right == len(trials) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
