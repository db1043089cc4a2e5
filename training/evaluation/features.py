"""Features in which generated samples are compared with real ones; the model under evaluation has no part in them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import nn

from app.arrays import Array, Samples
from training.evaluation.baselines import LinearAutoencoder

Features: TypeAlias = Callable[[Samples], Array]
"""Maps samples in the network's units, (N, *shape), to features, (N, F)."""

PCA_COMPONENTS = 64
CHANNELS = (32, 64, 32)
"""Channels of the random convolutions, each of which halves the image."""
POOL = 2
"""The sides of the grid that the last feature map is averaged in."""
UNITS = (256, 64)
"""Units of the random dense layers, for samples that are not images."""
FEATURE_SEED = 17
ROWS_PER_RUN = 512


def pca_features(train: Samples) -> Features:
    """Return projections to the principal components of training samples, at most PCA_COMPONENTS of them."""
    return LinearAutoencoder.fit(train, PCA_COMPONENTS).encode


def random_features(train: Samples) -> Features:
    """
    Return the outputs of a network with fixed random weights, of standardised samples.

    Images pass three convolutions, each of stride 2 and with a ReLU, and a grid of means; others pass two dense layers.
    Source of the idea: Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", arXiv:2002.09797
    """
    network = _convolutions(train.shape[1:]) if train.ndim == 4 else _dense(math.prod(train.shape[1:]))
    centre, spread = np.float32(train.mean()), np.float32(train.std() or 1.0)

    def run(samples: Samples) -> Array:
        parts = []
        with torch.no_grad():
            for at in range(0, len(samples), ROWS_PER_RUN):
                part = (samples[at : at + ROWS_PER_RUN] - centre) / spread
                parts.append(network(torch.from_numpy(part.astype(np.float32))).numpy())
        return np.concatenate(parts)

    return run


def _convolutions(shape: tuple[int, ...]) -> nn.Module:
    layers: list[nn.Module] = []
    channels = shape[0]
    for width in CHANNELS:
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.ReLU()]
        channels = width
    return _seeded(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(POOL), nn.Flatten()))


def _dense(size: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for units in UNITS:
        layers += [nn.Linear(size, units), nn.ReLU()]
        size = units
    return _seeded(nn.Sequential(*layers[:-1]))


def _seeded(network: nn.Module) -> nn.Module:
    """Draw the weights anew, with a variance that keeps that of the features; the same on every machine."""
    generator = torch.Generator().manual_seed(FEATURE_SEED)
    for name, weight in network.named_parameters():
        with torch.no_grad():
            if name.endswith("bias"):
                weight.zero_()
            else:
                deviation = math.sqrt(2 / math.prod(weight.shape[1:]))
                weight.copy_(deviation * torch.randn(weight.shape, generator=generator))
    return network.eval()
