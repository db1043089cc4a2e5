"""
Take one digit of MNIST as normal and the others as anomalies, for one digit or several, and print a table.

    python -m bench.anomalies.digits --data-dir DIR [--digits 0 1 ...] [--config images-ae] [-- OPTION ...]

Training rows are those of the digit in MNIST's training part; the test rows are its whole test part. What follows `--`
are options of the configuration, such as optimisation.effort=quick. A digit takes minutes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from bench.anomalies.__main__ import mean_auroc, print_aurocs, print_rates
from bench.anomalies.tables import Table, Trial, attempt
from training.config import DataConfig, load_config
from training.config.settings import with_settings
from training.data.load import load_data

WANTED = 0.955
"""The mean AUROC over the digits."""


def main() -> int:
    """Print a row for each digit. Return 1 if the mean AUROC or the false-positive rates miss their targets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the data")
    parser.add_argument("--digits", nargs="+", type=int, default=list(range(10)))
    parser.add_argument("--config", default="images-ae", help="the configuration (images-ae)")
    parser.add_argument("options", nargs="*", metavar="OPTION", help="options of the configuration")
    options = parser.parse_args()
    config = with_settings(load_config(options.config), options.options, {})
    trials: list[Trial] = []
    for digit in options.digits:
        trials.append(attempt(read_digit(options.data_dir, digit), config, seed=0))
        sys.stderr.write(f"{trials[-1]}\n")
    print_aurocs(trials)
    mean = mean_auroc(trials, "hourglass")
    verdict = "met" if mean >= WANTED else "missed"
    sys.stdout.write(f"\nMean AUROC {100 * mean:.2f}, wanted {100 * WANTED:.1f}: {verdict}.\n")
    return int(print_rates(trials) or mean < WANTED)


def read_digit(data_dir: Path, digit: int) -> Table:
    """Return a digit's training images, and all test images with 1 for each other digit."""
    data = load_data(DataConfig(name="mnist"), data_dir, seed=0)
    own = [part.take(part.labels == digit) for part in (data.train, data.validation)]  # type: ignore[arg-type]
    train = np.concatenate([part.in_users_units() for part in own])
    assert data.test.labels is not None
    return Table(f"digit {digit}", train, data.test.in_users_units(), (data.test.labels != digit).astype(int))


if __name__ == "__main__":
    sys.exit(main())
