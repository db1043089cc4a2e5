"""
Train `images-sdae` on each image set, and print how it denoises held-out images beside classical filters.

    python -m bench.defaults.denoising [--data-dir DIR] [--only WORD ...] [--seed 0] [-- OPTION ...]

It is trained for Gaussian noise; the two other kinds are measured, too, where it must not be worse than the input.
Numbers are PSNR in dB, means over the images. The filters are those of every report: a median, a blur, total
variation, wavelets, and a ridge regression that is fitted on noisy training images.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from app.manifest import Measurement
from bench.defaults.chosen import begin_table, build_parser, chosen_sets
from bench.defaults.trial import Array, parted, trained

COLUMNS = "set", "noise", "amount:", "noisy:", "ours:", "best filter:"
KINDS = "gaussian", "masking", "salt-and-pepper"
AMOUNTS = 0.05, 0.1, 0.25, 0.5
FILTERS = "median", "blur", "ridge", "tv", "wavelet"


def main() -> int:
    """Print the table as Markdown. Return 1 if Gaussian noise is removed worse than by a filter, or any is added."""
    parser = build_parser(__doc__)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begin_table(*COLUMNS)
    failed = False
    for data, samples in chosen_sets(options, len(COLUMNS), "images"):
        for line, is_met in rows(data.name, measure(*parted(samples, options.seed), options.seed, options.options)):
            failed = failed or not is_met
            print(line, flush=True)
    return 1 if failed else 0


def measure(train: Array, test: Array, seed: int, options: list[str]) -> list[Measurement]:
    """Return the measurements of denoising, by kind and then by amount."""
    settings = [
        *("--set", f"evaluation.noise_kinds={','.join(KINDS)}"),
        *("--set", f"evaluation.noise_amounts={','.join(map(str, AMOUNTS))}"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        model = trained("images-sdae", train, test, seed, Path(folder), [*settings, *options])
    return [measurement for measurement in model.manifest.metrics if "noise_amount" in measurement.values]


def rows(name: str, measurements: list[Measurement]) -> list[tuple[str, bool]]:
    """Return a row for each kind and amount, and whether what is promised holds."""
    lines = []
    kinds = [(kind, amount) for kind in KINDS for amount in AMOUNTS]
    for (kind, amount), measurement in zip(kinds, measurements, strict=True):
        values = measurement.values
        noisy, ours = values["noisy_psnr"], values["psnr"]
        filters = {name: values[f"{name}_psnr"] for name in FILTERS if f"{name}_psnr" in values}
        best = max(filters, key=lambda name: filters[name])
        rivals = max(noisy, filters[best]) if kind == "gaussian" else noisy
        text = f"{name} | {kind} | {amount} | {noisy:.1f} | {ours:.1f} | {filters[best]:.1f} {best}"
        lines.append((f"| {text} | {'' if ours >= rivals else 'missed'} |", ours >= rivals))
    return lines


if __name__ == "__main__":
    sys.exit(main())
