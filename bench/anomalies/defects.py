"""
Plant small defects in images that were held out, and print how well they are found beside other detectors.

    python -m bench.anomalies.defects [--data-dir DIR] [--only WORD ...] [-- OPTION ...]

A quarter of each image set is held out, once as it is and once with a square of 3 x 3 pixels in each image made darker
or lighter. All sets have one configuration: images-ae with --quick. What follows `--` are further options of it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from bench.anomalies.__main__ import mean_auroc, print_aurocs, print_rates
from bench.anomalies.tables import Array, Table, Trial, attempt
from bench.defaults.sets import SETS, Missing
from training.config import load_config
from training.config.settings import with_settings

NAMES = "textures-32", "photographs-32", "hands-32", "ellipses-28"
MOST_IMAGES = 4_000
HELD_OUT = 0.25
SIDE, CHANGE = 3, 0.4
"""Pixels a side of a defect, and the change of its pixels, of which 0 is black and 1 is white."""
MARGIN = 4
"""Pixels between a defect and the border of its image."""


def main() -> int:
    """Print a row for each image set. Return 1 if another detector is better or too many normal images are found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="folder that has the photographs of `hands`")
    parser.add_argument("--only", nargs="+", metavar="WORD", default=[""], help="sets whose names have a word")
    parser.add_argument("options", nargs="*", metavar="OPTION", help="options of the configuration")
    options = parser.parse_args()
    config = with_settings(load_config("images-ae"), ["optimisation.effort=quick", *options.options], {})
    trials: list[Trial] = []
    for data in SETS:
        if data.name in NAMES and any(word in data.name for word in options.only):
            try:
                images = data.read(options.data_dir)
            except Missing as error:
                sys.stderr.write(f"{data.name} {error}\n")
                continue
            trials.append(attempt(plant(data.name, images[:MOST_IMAGES], seed=0), config, seed=0))
            sys.stderr.write(f"{trials[-1]}\n")
    print_aurocs(trials)
    means = {detector: mean_auroc(trials, detector) for detector in trials[0].aurocs}
    return int(print_rates(trials) or means["hourglass"] < max(means.values()))


def plant(name: str, images: Array, seed: int) -> Table:
    """Hold out images of (N, H, W) or (N, H, W, C), and give a copy of each a defect; 1 labels those."""
    random = np.random.default_rng(seed)
    pixels = images[random.permutation(len(images))].astype(np.float32) / 255
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    normal, train = np.split(pixels, [round(HELD_OUT * len(pixels))])
    damaged = normal.copy()
    for image in damaged:
        row, column = (random.integers(MARGIN, side - SIDE - MARGIN + 1) for side in image.shape[1:])
        square = image[:, row : row + SIDE, column : column + SIDE]
        square[:] = np.clip(square + random.choice([-CHANGE, CHANGE]), 0, 1)
    labels = np.repeat([0, 1], len(normal))
    return Table(name, np.ascontiguousarray(train), np.concatenate([normal, damaged]), labels)


if __name__ == "__main__":
    sys.exit(main())
