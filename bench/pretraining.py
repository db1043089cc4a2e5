"""
Compare a stacked denoising autoencoder with and without layer-wise pretraining: two Markdown tables to stdout.

    .venv/bin/python -m bench.pretraining --data-dir DIR

Both are trained for the same number of epochs. The second table compares a linear probe on their latents with one on
PCA and one on the pixels.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import numpy as np
import numpy.typing as npt
import torch

from app.engine.corruption import corrupt
from training.config import Config, DataConfig, DenoisingObjective, NetworkConfig, OptimisationConfig
from training.data.dataset import DataSet, Split
from training.data.load import load_data
from training.evaluation.baselines import LinearAutoencoder, probe_accuracy
from training.evaluation.metrics import mse, psnr
from training.fitting.trainer import fit
from training.networks.base import Network

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

LAYERS = 4
NOISE_STD, NOISE_SEED = 0.5, 1
LABELLED_COUNTS = (100, 1000, None)
"""Training images with a label for the probe; None for all of them."""
DRAWS = 5
"""Random choices of 100 and of 1 000 labelled images, over which the accuracy is averaged."""


def configuration(pretraining_epochs: int, epochs: int, seed: int) -> Config:
    """Return a dense stack of four layers, 784-512-256-128-64, with noise of standard deviation 0 to 0.8."""
    return Config(
        name="pretraining",
        description="",
        data=DataConfig(name="mnist"),
        network=NetworkConfig(architecture="dense", latent_dim=64, widths=(512, 256, 128)),
        objective=DenoisingObjective(
            family="denoising-autoencoder", amount=(0.0, 0.8), pretraining_epochs=pretraining_epochs
        ),
        optimisation=OptimisationConfig(epochs=epochs, seed=seed, learning_rate=0.001),
    )


def main() -> int:
    """Train, measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("HOURGLASS_DATA_DIR"), help="folder of MNIST")
    parser.add_argument("--budget", type=int, default=20, help="total epochs, including pretraining")
    parser.add_argument("--pretraining-epochs", type=int, default=2, help="epochs for each of the four layers")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each variant")
    options = parser.parse_args()
    data = load_data(DataConfig(name="mnist"), options.data_dir and Path(options.data_dir), seed=0)
    spent = LAYERS * options.pretraining_epochs
    variants = {
        "with pretraining": (options.pretraining_epochs, options.budget - spent),
        "without": (0, options.budget),
    }
    encoders: dict[str, Callable[[Split], Array]] = {}
    sys.stdout.write(
        "| 784-512-256-128-64 | seed | epochs | minutes | PSNR at 0.5 | MSE at 0.5 |\n|---|---|---|---|---|---|\n"
    )
    for seed in range(options.seeds):
        for name, (pretraining, epochs) in variants.items():
            config = configuration(pretraining, epochs, seed)
            with tempfile.TemporaryDirectory() as folder:
                run = fit(config, data, Path(folder) / "run", accelerator="cpu")
            decibels, error = denoising(run.network, data)
            stages = f"{LAYERS} x {pretraining} + {epochs}" if pretraining else str(epochs)
            sys.stdout.write(
                f"| {name} | {seed} | {stages} | {run.record.minutes:.1f} | {decibels:.2f} | {error:.5f} |\n"
            )
            sys.stdout.flush()
            encoders[f"latents {name}, seed {seed}"] = encoder(run.network)
    pca = LinearAutoencoder.fit(data.train.in_users_units(), 64)
    encoders["PCA-64"] = lambda split: pca.encode(split.in_users_units())
    encoders["pixels"] = lambda split: split.in_users_units().reshape(len(split), -1)
    print_probes(encoders, data)
    return 0


def encoder(network: Network) -> Callable[[Split], Array]:
    """Return a function that encodes the samples of a split."""

    def encode(split: Split) -> Array:
        with torch.no_grad():
            return network.encode(torch.from_numpy(split.in_users_units())).numpy()

    return encode


def denoising(network: Network, data: DataSet) -> tuple[float, float]:
    """Return the PSNR in dB and the MSE of test images denoised from clipped Gaussian noise."""
    clean = data.test.in_users_units()
    value_range = data.input.value_range
    assert value_range is not None
    noisy = corrupt(clean, "gaussian", NOISE_STD, value_range, NOISE_SEED)
    with torch.no_grad():
        denoised = network.reconstruct(torch.from_numpy(noisy)).numpy()
    return psnr(denoised, clean), mse(denoised, clean)


def print_probes(encoders: dict[str, Callable[[Split], Array]], data: DataSet) -> None:
    """Print the test accuracy of a logistic regression on each encoding, by the number of labelled images."""
    assert data.train.labels is not None
    assert data.test.labels is not None
    titles = ["100 labels", "1 000 labels", f"all {len(data.train)}"]
    sys.stdout.write(f"\n| linear probe on | {' | '.join(titles)} |\n|---|---|---|---|\n")
    for name, encode in encoders.items():
        train, test = encode(data.train), encode(data.test)
        cells = []
        for count in LABELLED_COUNTS:
            scores = [
                probe_accuracy(train[rows], data.train.labels[rows], test, data.test.labels)
                for rows in draw_labelled(data.train.labels, count)
            ]
            cells.append(f"{mean(scores):.4f}")
        sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")
        sys.stdout.flush()


def draw_labelled(labels: Labels, count: int | None) -> list[Labels]:
    """Return random rows with equally many of each class, always the same; all rows once if `count` is None."""
    if count is None:
        return [np.arange(len(labels))]
    classes = np.unique(labels)
    rows = []
    for seed in range(DRAWS):
        random = np.random.default_rng(seed)
        each = [
            random.choice(np.flatnonzero(labels == label), count // len(classes), replace=False) for label in classes
        ]
        rows.append(np.concatenate(each))
    return rows


if __name__ == "__main__":
    sys.exit(main())
