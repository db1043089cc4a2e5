"""
Compare the images per second of `hourglass-train train` with a bare PyTorch loop: a Markdown table to stdout.

    .venv/bin/python -m bench.training_speed --config mnist-ae --data-dir DIR

Both train the configuration's network with its batch size, optimiser, clipping and precision, and validate after each
epoch. Both take batches by index from one tensor in memory. Ours also writes two checkpoints per epoch and follows its
learning-rate schedule. The moving average of the weights is off in both, and on in the third row. The rounds alternate,
so that a machine that slows down slows both; the ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from training.config import Config, DenoisingObjective, load_config, settled
from training.data.dataset import DataSet, Split
from training.data.load import load_data
from training.fitting.draws import Draws
from training.fitting.trainer import fit
from training.networks.base import Example
from training.networks.build import build_network
from training.preprocessing import fit_preprocessing

EPOCHS = 4
"""Epochs of a measurement; the first one warms up and does not count."""


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data-dir", type=Path, default=os.environ.get("HOURGLASS_DATA_DIR"), help="folder of the data"
    )
    parser.add_argument("--config", default="mnist-ae", help="configuration, but not of a denoiser (mnist-ae)")
    parser.add_argument("--rows", type=int, default=10_000, help="images per epoch; smaller data are repeated (10000)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each loop (5)")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (1)")
    parser.add_argument("--accelerator", choices=["cpu", "gpu"], default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.getLogger("training").setLevel(logging.ERROR)
    config = load_config(options.config)
    if isinstance(config.objective, DenoisingObjective):
        parser.error("a denoiser is trained in stages; choose an autoencoder or a variational one")
    data = load_data(config.data, options.data_dir and Path(options.data_dir), config.optimisation.seed)
    data = replace(data, train=repeated(data.train, options.rows))
    plain, averaged = with_options(config, ema_decay=0.0), with_options(config, ema_decay=0.99)
    rounds = []
    for number in range(options.rounds):
        speeds = [measure_fit(plain, data, options.accelerator), measure_bare(plain, data, options.accelerator)]
        rounds.append([*speeds, measure_fit(averaged, data, options.accelerator)])
        sys.stderr.write(f"round {number + 1}: {' '.join(f'{speed:.0f}' for speed in rounds[-1])} images/s\n")
    print_table(config, options.rows, options.threads, rounds)
    return 0


def with_options(config: Config, **changes: object) -> Config:
    """Return the configuration with other options of the optimisation, and enough patience for all epochs."""
    options = config.optimisation.model_copy(update={"epochs": EPOCHS, "patience": EPOCHS + 1, **changes})
    return config.model_copy(update={"optimisation": options})


def repeated(split: Split, rows: int) -> Split:
    """Return a split with this many rows; it starts again after its last row."""
    return split.take(np.arange(rows) % len(split))


def measure_fit(config: Config, data: DataSet, accelerator: str) -> float:
    """Return the images per second of `fit` in the median epoch, by the times in the run's own record."""
    with tempfile.TemporaryDirectory() as folder:
        run = fit(config, data, Path(folder) / "run", accelerator=accelerator, threads=torch.get_num_threads())
    seconds = [record["seconds"] for record in run.record.history["train"]]
    return len(data.train) / median(later - earlier for earlier, later in pairwise(seconds))


def measure_bare(config: Config, data: DataSet, accelerator: str) -> float:
    """Return the images per second of a loop without a trainer, in the median epoch."""
    options, device = config.optimisation, torch.device("cuda" if accelerator == "gpu" else "cpu")
    batch_size, rate = settled(options.batch_size), settled(options.learning_rate)
    network = build_network(config, data.input, len(data.classes)).to(device)
    for weight in network.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    preprocessing = fit_preprocessing(config, data).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=options.weight_decay, betas=(0.9, 0.99))
    draws = Draws(options.seed, device)
    train, validation = (torch.from_numpy(split.samples.copy()).to(device) for split in (data.train, data.validation))
    labels = torch.zeros(4 * batch_size, dtype=torch.int64, device=device)

    def loss_of(samples: Tensor) -> Tensor:
        x = preprocessing(samples.float() * data.train.unit)
        with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bf16-mixed"):
            return network.loss(Example(x, x, labels[: len(x)]), draws)["loss"]

    seconds = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        network.train()
        for rows in torch.split(torch.randperm(len(train)).to(device), batch_size):
            optimiser.zero_grad()
            torch.autograd.backward(loss_of(train[rows]))
            if options.gradient_clip:
                clip_grad_norm_(network.parameters(), options.gradient_clip)
            optimiser.step()
        network.eval()
        with torch.no_grad():
            losses = [loss_of(samples) for samples in torch.split(validation, 4 * batch_size)]
        torch.stack(losses).tolist()  # waits for the GPU
        seconds.append(time.perf_counter() - start)
    return len(train) / median(seconds[1:])


def print_table(config: Config, rows: int, threads: int, rounds: list[list[float]]) -> None:
    """Print medians, the range over the rounds, and the ratio to the bare loop of the same round."""
    options = config.optimisation
    sys.stdout.write(
        f"`{config.name}`, {rows} images, batches of {options.batch_size}, {options.precision}, "
        f"{threads} {'thread' if threads == 1 else 'threads'}, {len(rounds)} rounds\n\n"
        "| loop | images/s, median | lowest to highest | ratio to the bare loop |\n|---|---|---|---|\n"
    )
    names = ("`fit`", "bare PyTorch", "`fit` with a moving average")
    for index, name in enumerate(names):
        speeds = [speeds[index] for speeds in rounds]
        ratio = median(speeds[index] / speeds[1] for speeds in rounds)
        sys.stdout.write(f"| {name} | {median(speeds):.0f} | {min(speeds):.0f} to {max(speeds):.0f} | {ratio:.2f} |\n")


if __name__ == "__main__":
    sys.exit(main())
