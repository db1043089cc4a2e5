"""
Draw the pictures of README.md from the bundled models and MNIST's test set.

    .venv/bin/python -m bench.strip --data-dir DIR
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from app.arrays import Samples
from app.engine.repository import load_version
from training.config import DataConfig
from training.data.load import load_data
from training.exporting.figures import save, show, tile

SEED = 3
NOISE_STD = 0.5
GENERATORS = "mnist-ae", "mnist-sdae", "mnist-vae"
COUNT, COLUMNS = 64, 8
"""Generated samples of each model, and those beside each other."""


def main() -> int:
    """Write docs/images/strip.png and samples.png, and one digit as a file for requests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("HOURGLASS_DATA_DIR"), help="folder of MNIST")
    parser.add_argument("--models-dir", type=Path, default=Path("models"), help="the model repository (models)")
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="folder for the pictures (docs/images)")
    options = parser.parse_args()
    data = load_data(DataConfig(name="mnist"), options.data_dir and Path(options.data_dir), seed=0)
    first = [int(np.flatnonzero(data.test.labels == digit)[0]) for digit in range(10)]
    digits = data.test.take(np.array(first)).in_users_units()
    options.out.mkdir(parents=True, exist_ok=True)
    draw_strip(digits, options.models_dir, options.out / "strip.png")
    draw_samples(options.models_dir, options.out / "samples.png")
    Image.fromarray(data.test.samples[0, 0]).save(options.out / "digit.png")
    return 0


def draw_strip(digits: Samples, models_dir: Path, path: Path) -> None:
    """Draw five rows: the samples, their reconstructions, the samples with noise, denoised, and generated samples."""
    ae, sdae, vae = (load_version(models_dir / name / "1", name, 1) for name in ("mnist-ae", "mnist-sdae", "mnist-vae"))
    noisy = sdae.corrupt(digits, "gaussian", NOISE_STD, SEED)
    rows = {
        "input": digits,
        "reconstruction": ae.reconstruct(digits).samples,
        "noisy": noisy,
        "denoised": sdae.denoise(noisy),
        "generated": vae.generate(len(digits), SEED),
    }
    figure = Figure(figsize=(7.2, 3.2))
    for index, (name, samples) in enumerate(rows.items()):
        axes = figure.add_axes((0.16, 0.8 - 0.2 * index, 0.84, 0.2))
        show(axes, tile(samples, len(samples)))
        figure.text(0.15, 0.9 - 0.2 * index, name, ha="right", va="center", fontsize=10)
    save(figure, path)


def draw_samples(models_dir: Path, path: Path) -> None:
    """Draw grids of generated samples, one for each of GENERATORS, as its prior makes them, unselected."""
    figure = Figure(figsize=(7.2, 2.6))
    for index, name in enumerate(GENERATORS):
        samples = load_version(models_dir / name / "1", name, 1).generate(COUNT, SEED)
        axes = figure.add_axes((index / 3 + 0.005, 0, 0.323, 0.9))
        show(axes, tile(samples, COLUMNS))
        figure.text((index + 0.5) / 3, 0.95, name, ha="center", va="center", fontsize=10)
    save(figure, path)


if __name__ == "__main__":
    sys.exit(main())
