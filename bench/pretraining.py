"""
What layer-wise pretraining is worth: the same stacked denoising autoencoder with and without it, for the same number
of epochs, and a linear probe on its codes beside PCA and the pixels themselves. Prints two Markdown tables.

    .venv/bin/python -m bench.pretraining --data-dir DIR
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
from training.data import DataSet, Split, load_data
from training.evaluation.baselines import LinearAutoencoder, probe_accuracy
from training.evaluation.metrics import mse, psnr
from training.fitting.trainer import fit
from training.networks.base import Network

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

LAYERS = 4
NOISE, NOISE_SEED = 0.5, 1
LABELLED = (100, 1000, None)
DRAWS = 5
"""Of the labelled rows, for 100 and 1 000; all of them can be drawn once."""


def configuration(pretraining_epochs: int, epochs: int, seed: int) -> Config:
    """A dense stack of four layers, 784-512-256-128-64, with noise of standard deviation 0 to 0.8."""
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
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("HOURGLASS_DATA_DIR"))
    parser.add_argument("--budget", type=int, default=20, help="epochs in all, pretraining included")
    parser.add_argument("--pretraining-epochs", type=int, default=2, help="epochs for each of the four layers")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    data = load_data(DataConfig(name="mnist"), options.data_dir and Path(options.data_dir), seed=0)
    spent = LAYERS * options.pretraining_epochs
    variants = {
        "with pretraining": (options.pretraining_epochs, options.budget - spent),
        "without": (0, options.budget),
    }
    codes: dict[str, Callable[[Split], Array]] = {}
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
            codes[f"codes {name}, seed {seed}"] = encoder(run.network)
    pca = LinearAutoencoder.fit(data.train.in_users_units(), 64)
    codes["PCA-64"] = lambda split: pca.encode(split.in_users_units())
    codes["pixels"] = lambda split: split.in_users_units().reshape(len(split), -1)
    probes(codes, data)
    return 0


def encoder(network: Network) -> Callable[[Split], Array]:
    """Samples to codes."""

    def encode(split: Split) -> Array:
        with torch.no_grad():
            return network.encode(torch.from_numpy(split.in_users_units())).numpy()

    return encode


def denoising(network: Network, data: DataSet) -> tuple[float, float]:
    """PSNR in dB and MSE of test images denoised from clipped Gaussian noise."""
    clean = data.test.in_users_units()
    value_range = data.input.value_range
    assert value_range is not None
    noisy = corrupt(clean, "gaussian", NOISE, value_range, NOISE_SEED)
    with torch.no_grad():
        denoised = network.reconstruct(torch.from_numpy(noisy)).numpy()
    return psnr(denoised, clean), mse(denoised, clean)


def probes(codes: dict[str, Callable[[Split], Array]], data: DataSet) -> None:
    """Test accuracy of a logistic regression on each kind of code, by the number of labelled training images."""
    assert data.train.labels is not None
    assert data.test.labels is not None
    titles = ["100 labels", "1 000 labels", f"all {len(data.train)}"]
    sys.stdout.write(f"\n| linear probe on | {' | '.join(titles)} |\n|---|---|---|---|\n")
    for name, encode in codes.items():
        train, test = encode(data.train), encode(data.test)
        cells = []
        for count in LABELLED:
            scores = [
                probe_accuracy(train[rows], data.train.labels[rows], test, data.test.labels)
                for rows in draws(data.train.labels, count)
            ]
            cells.append(f"{mean(scores):.4f}")
        sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")
        sys.stdout.flush()


def draws(labels: Labels, count: int | None) -> list[Labels]:
    """Rows to be labelled, equally many of each class; the same for every kind of code."""
    if count is None:
        return [np.arange(len(labels))]
    classes = np.unique(labels)
    found = []
    for seed in range(DRAWS):
        random = np.random.default_rng(seed)
        each = [
            random.choice(np.flatnonzero(labels == label), count // len(classes), replace=False) for label in classes
        ]
        found.append(np.concatenate(each))
    return found


if __name__ == "__main__":
    sys.exit(main())
