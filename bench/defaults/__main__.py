"""
Train on each data set with the defaults, and print a row for each: the error beside PCA's and a plain loop's.

    python -m bench.defaults [--data-dir DIR] [--only WORD ...] [--seeds 0 1 2] [--rivals] [--pythae PYTHON]
                             [-- OPTION ...]

Errors are of the same held-out tenth of the rows, as ratios to PCA with as many components as there are latents. What
follows `--` goes to every training, such as --quick; there are no options for single sets. A whole run takes hours.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.defaults.chosen import begin_table, build_parser, chosen_sets
from bench.defaults.sets import Array, DataSet
from bench.defaults.trial import Result, attempt

COLUMNS = (
    *("set", "rows:", "latents:", "PCA's MSE:", "ours / PCA:", "plain loop / PCA:", "pythae / PCA:"),
    *("CPU s:", "at most:"),
)
"""The columns of the table; those of numbers end in a colon."""
MOST = ((20_000, 0.85), (3_000, 0.95), (0, 1.0))
"""Rows from which our error must be at most this share of PCA's."""


def main() -> int:
    """Print the table as Markdown. Return 1 if a set misses its bound, or if a rival is better."""
    parser = build_parser(__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument(
        "--rivals", action="store_true", help="also run the plain loop, for the CPU time that ours took"
    )
    parser.add_argument("--pythae", type=Path, metavar="PYTHON", help="also run pythae, with this interpreter")
    options = parser.parse_args()
    begin_table(*COLUMNS)
    failed = False
    for data, samples in chosen_sets(options, len(COLUMNS)):
        row, is_met = describe(data, train(data, samples, options))
        failed = failed or not is_met
        print(row, flush=True)
    return 1 if failed else 0


def train(data: DataSet, samples: Array, options: argparse.Namespace) -> list[Result]:
    """Return the results of all seeds."""
    results = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            results.append(attempt(data, samples, options.options, seed, Path(folder), options.rivals, options.pythae))
    return results


def describe(data: DataSet, results: list[Result]) -> tuple[str, bool]:
    """Return a data set's row, with medians over the seeds, and whether the bound holds."""
    first = results[0]
    ours = median(result.ours / result.pca for result in results)
    others = [
        median(error / result.pca for error, result in zip(errors, results, strict=True) if error is not None)
        if None not in errors
        else None
        for errors in ([result.plain for result in results], [result.pythae for result in results])
    ]
    most = next(bound for rows, bound in MOST if first.rows >= rows)
    is_met = ours <= most and not any(other is not None and other < ours for other in others)
    spread = f"{min(r.ours / r.pca for r in results):.3f} to {max(r.ours / r.pca for r in results):.3f}"
    cells = (
        data.name,
        f"{first.rows}",
        f"{median(result.latent_dim for result in results):g}",
        f"{median(result.pca for result in results):.5f}",
        f"{ours:.3f}" + (f" ({spread})" if len(results) > 1 else ""),
        *("" if other is None else f"{other:.3f}" for other in others),
        f"{median(result.seconds for result in results):.0f}",
        f"{most:.2f}",
        "" if is_met else "missed",
    )
    return f"| {' | '.join(cells)} |", is_met


if __name__ == "__main__":
    sys.exit(main())
