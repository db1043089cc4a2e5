"""
Train on each image set with the defaults, and draw held-out images, what becomes of them, and generated ones.

    python -m bench.defaults.figures [--data-dir DIR] [--only WORD ...] [--out DIR] [--seed 0] [-- OPTION ...]

A picture for each set has four rows: images, their reconstructions, those by PCA with as many components as there are
latents, and samples from the prior. Nothing is selected: the images are the first ones that were held out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.defaults.chosen import build_parser, chosen_sets
from bench.defaults.rivals import pca
from bench.defaults.trial import Array, as_inputs, parted, reconstructed, trained
from training.exporting.figures import COLUMNS, picture_rows


def main() -> int:
    """Write a picture for each set."""
    parser = build_parser(__doc__)
    parser.add_argument("--out", type=Path, default=Path(".bench/figures"), help="folder (.bench/figures)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for data, samples in chosen_sets(options, 1, "images"):
        path = options.out / f"{data.name}.png"
        draw(*parted(samples, options.seed, data.test_rows), options.seed, options.options, path)
        print(path, flush=True)
    return 0


def draw(train: Array, test: Array, seed: int, options: list[str], path: Path) -> None:
    """Train, and draw the picture."""
    with tempfile.TemporaryDirectory() as folder:
        model = trained("images-ae", train, test, seed, Path(folder), options)
        train_x, shown = as_inputs(train, "images"), as_inputs(test, "images")[:COLUMNS]
        flat = train_x.reshape(len(train_x), -1), shown.reshape(len(shown), -1)
        rows = {
            "held out": shown,
            "reconstructed": reconstructed(model, shown),
            "reconstructed by PCA": pca(*flat, model.manifest.latent_dim).reshape(shown.shape).clip(0, 1),
            "generated": model.generate(len(shown), seed),
        }
        picture_rows(rows, path)


if __name__ == "__main__":
    sys.exit(main())
