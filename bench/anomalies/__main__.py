"""
Compare the scorers that the trainer makes with other detectors on ADBench's tables, and print tables in Markdown.

    python -m bench.anomalies --data-dir DIR [--seeds 0 1 2 3 4] [--only WORD ...]

All tables are trained on with one configuration: table-ae with --quick. A whole run takes half an hour.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.anomalies.tables import Trial, attempt, read_tables
from training.config import load_config
from training.config.settings import with_settings
from training.evaluation.false_alarms import ALPHAS

MARGINS = {"knn1": 0.003, "knn5": 0.03}
"""The AUROC by which the mean must exceed that of these detectors."""
MIN_INSIDE = 0.95
"""Share of the runs whose false-positive rates must lie in their bands."""


def main() -> int:
    """Print the tables. Return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder that has the tables in `adbench`")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--only", nargs="+", metavar="WORD", default=[""], help="tables whose names have a word")
    options = parser.parse_args()
    config = with_settings(load_config("table-ae"), ["optimisation.effort=quick"], {})
    trials: list[Trial] = []
    for seed in options.seeds:
        for table in read_tables(options.data_dir / "adbench", seed):
            if any(word in table.name for word in options.only):
                trials.append(attempt(table, config, seed))
                sys.stderr.write(f"{seed} {trials[-1]}\n")
    print_aurocs(trials)
    missed = print_margins(trials)
    return int(print_rates(trials) or missed)


def print_aurocs(trials: Sequence[Trial]) -> None:
    """Print a row for each table: the mean AUROC of each detector, in percent."""
    detectors = list(trials[0].aurocs)
    print_row("table", "calibration rows", *detectors)
    print_row("---", *["--:"] * (len(detectors) + 1))
    names = sorted({trial.table for trial in trials}, key=str.lower)
    for name in names:
        own = [trial for trial in trials if trial.table == name]
        means = [f"{100 * np.mean([trial.aurocs[detector] for trial in own]):.1f}" for detector in detectors]
        print_row(name, f"{np.mean([trial.calibration_rows for trial in own]):.0f}", *means)
    print_row("mean", "", *(f"{100 * mean_auroc(trials, detector):.2f}" for detector in detectors))


def mean_auroc(trials: Sequence[Trial], detector: str) -> float:
    """Return the mean over all tables and seeds, which all tables have."""
    return float(np.mean([trial.aurocs[detector] for trial in trials]))


def print_margins(trials: Sequence[Trial]) -> bool:
    """Print how far the mean is above that of the nearest neighbours. Return True if a target is missed."""
    missed = False
    for detector, margin in MARGINS.items():
        difference = mean_auroc(trials, "hourglass") - mean_auroc(trials, detector)
        missed = missed or difference < margin
        verdict = "met" if difference >= margin else "missed"
        sys.stdout.write(
            f"\nAgainst {detector}: {100 * difference:+.2f} points, wanted {100 * margin:+.1f}: {verdict}.\n"
        )
    return missed


def print_rates(trials: Sequence[Trial]) -> bool:
    """Print how many false-positive rates lie in their bands. Return True if too few do."""
    sys.stdout.write("\n")
    print_row("alpha", "mean false-positive rate", "runs in the 99 % band", "above it", "below it")
    print_row("--:", "--:", "--:", "--:", "--:")
    missed = False
    for alpha in ALPHAS:
        above = [trial.rates[alpha] > trial.bands[alpha][1] + 1e-9 for trial in trials]
        below = [trial.rates[alpha] < trial.bands[alpha][0] - 1e-9 for trial in trials]
        inside = 1 - (sum(above) + sum(below)) / len(trials)
        missed = missed or inside < MIN_INSIDE
        mean = np.mean([trial.rates[alpha] for trial in trials])
        print_row(f"{alpha:g}", f"{mean:.4f}", f"{100 * inside:.0f} %", f"{sum(above)}", f"{sum(below)}")
    return missed


def print_row(*cells: str) -> None:
    """Print a row of a table in Markdown."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")


if __name__ == "__main__":
    sys.exit(main())
