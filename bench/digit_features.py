"""
Train the classifier of digits in whose features `hourglass-train evaluate --samples` compares digits.

    python -m bench.digit_features --data-dir DIR

It is trained on MNIST's training part, its epoch is chosen by the validation part, and its accuracy on the test images
is measured once, at the end. The graph and its record are written into `training/evaluation/graphs/`. It takes about
ten minutes of one core.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention
from torch.nn.utils import fuse_conv_bn_eval

from app.engine.session import open_session
from training.config import DataConfig
from training.data.dataset import DataSet, Split
from training.data.load import load_data
from training.evaluation.digits import GRAPH, RECORD, Record, fingerprint
from training.exporting.graphs import compare, export_graph, rounded_to_half

EPOCHS, BATCH_SIZE, SEED = 10, 128, 0
LEARNING_RATE, WEIGHT_DECAY, LABEL_SMOOTHING = 3e-3, 0.02, 0.05
AVERAGE_DECAY = 0.998
"""The share that each step leaves of the averaged weights."""
MAX_SHIFT = 2
"""Pixels by which training images are moved in each direction."""
CHANNELS, FEATURES, CLASSES = (16, 32, 64, 96), 128, 10
DROPOUT = 0.3
ROWS_PER_RUN = 500


class DigitClassifier(nn.Module):
    """
    Four convolutions and two dense layers; the features are the activations of the first dense layer.

        samples   (B, 1, 28, 28) in [0, 1]
        features  (B, FEATURES), not negative
        logits    (B, CLASSES)
    """

    def __init__(self) -> None:
        super().__init__()
        one, two, three, four = CHANNELS
        self.convolutions = nn.Sequential(
            *_convolution(1, one),
            *_convolution(one, two, stride=2),
            *_convolution(two, three),
            nn.MaxPool2d(2),
            *_convolution(three, four),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.dense = nn.Linear(four * 9, FEATURES)
        self.dropout = nn.Dropout(DROPOUT)
        self.logits = nn.Linear(FEATURES, CLASSES)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features and the logits of samples."""
        features = F.relu(self.dense(self.convolutions(samples)))
        return features, self.logits(self.dropout(features))


def _convolution(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


def main() -> int:
    """Train, export and measure. Return 1 if the accuracy on the test images is below 99.2 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the data")
    data = load_data(DataConfig(name="mnist"), parser.parse_args().data_dir, seed=SEED)
    torch.set_num_threads(1)
    write(train(data), data)
    record = Record.read()
    sys.stdout.write(
        f"accuracy {100 * record.test_accuracy:.2f} % on {len(data.test)} test images, {GRAPH.stat().st_size} bytes\n"
    )
    return int(record.test_accuracy < 0.992)


def write(network: DigitClassifier, data: DataSet) -> None:
    """Export a trained network, measure the graph on the test part, and write its record."""
    network = rounded_to_half(fused(network)).eval()
    inputs = {"samples": images(data.validation.take(slice(0, 64)))}
    export_graph(network, {"samples": inputs["samples"][:2]}, ["features", "logits"], GRAPH)
    compare(network, GRAPH, inputs)
    record = Record(
        sha256=hashlib.sha256(GRAPH.read_bytes()).hexdigest(),
        test_accuracy=graph_accuracy(GRAPH, data.test),
        training_rows=len(data.train),
        validation_rows=len(data.validation),
        test_fingerprint=fingerprint(data.test.samples),
        command="python -m bench.digit_features --data-dir DIR",
    )
    RECORD.write_text(json.dumps(record.model_dump(), indent=2) + "\n", encoding="utf-8")


def fused(network: DigitClassifier) -> DigitClassifier:
    """Return a network whose convolutions contain the normalisation that follows them, as the exporter makes them."""
    network, layers = copy.deepcopy(network).eval(), list[nn.Module]()
    for layer in network.convolutions:
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)  # type: ignore[type-var]
        else:
            layers.append(layer)
    network.convolutions = nn.Sequential(*layers)
    return network


def train(data: DataSet) -> DigitClassifier:
    """Return the averaged weights of the epoch with the best accuracy on the validation part."""
    torch.manual_seed(SEED)
    network = DigitClassifier()
    averaged = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    steps = EPOCHS * (len(data.train) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    generator = torch.Generator().manual_seed(SEED)
    best, best_accuracy = averaged, 0.0
    for epoch in range(EPOCHS):
        network.train()
        order = torch.randperm(len(data.train), generator=generator)
        for at in range(0, len(order) - BATCH_SIZE + 1, BATCH_SIZE):
            part = data.train.take(order[at : at + BATCH_SIZE].numpy())
            assert part.labels is not None
            _, logits = network(shift(images(part), generator))
            loss = F.cross_entropy(logits, torch.from_numpy(part.labels), label_smoothing=LABEL_SMOOTHING)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            average(averaged, network)
        accuracy = network_accuracy(averaged, data.validation)
        sys.stderr.write(f"epoch {epoch + 1}: accuracy {100 * accuracy:.2f} % on the validation part\n")
        if accuracy > best_accuracy:
            best, best_accuracy = copy.deepcopy(averaged), accuracy
    return best


def average(averaged: nn.Module, network: nn.Module) -> None:
    """Move averaged weights, and averaged statistics of batches, towards those of a network."""
    with torch.no_grad():
        for mean, current in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
            if mean.is_floating_point():  # the count of batches is not
                mean.lerp_(current, 1 - AVERAGE_DECAY)


def shift(samples: Tensor, generator: torch.Generator) -> Tensor:
    """Move each image by up to MAX_SHIFT pixels in each direction; what comes in is black."""
    padded = F.pad(samples, [MAX_SHIFT] * 4)
    rows = len(samples)
    down, right = torch.randint(0, 2 * MAX_SHIFT + 1, (2, rows, 1), generator=generator)
    height, width = (down + torch.arange(samples.shape[2])), (right + torch.arange(samples.shape[3]))
    return padded[torch.arange(rows)[:, None, None], 0, height[:, :, None], width[:, None, :]].unsqueeze(1)


def images(split: Split) -> Tensor:
    """Return samples in [0, 1]. Shape: (N, 1, 28, 28)."""
    return torch.from_numpy(split.in_users_units())


def network_accuracy(network: DigitClassifier, split: Split) -> float:
    """Return the share of rows that a network classifies correctly."""
    assert split.labels is not None
    samples = images(split)
    with torch.no_grad():
        parts = [network(samples[at : at + ROWS_PER_RUN])[1].argmax(1) for at in spans(len(samples))]
    return float((torch.cat(parts).numpy() == split.labels).mean())


def graph_accuracy(path: Path, split: Split) -> float:
    """Return the share of rows that a graph classifies correctly."""
    session, samples = open_session(path, threads=1), split.in_users_units()
    logits = [session.run(["logits"], {"samples": samples[at : at + ROWS_PER_RUN]})[0] for at in spans(len(samples))]
    return float((np.concatenate(logits).argmax(axis=1) == split.labels).mean())


def spans(count: int) -> range:
    """Return the first row of each run."""
    return range(0, count, ROWS_PER_RUN)


if __name__ == "__main__":
    sys.exit(main())
