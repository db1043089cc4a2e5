"""Small networks of every family, their configurations and their batches."""

from __future__ import annotations

import torch
from torch import Tensor

from app.inputs import ImageInput, ValueRange, VectorInput
from training.config import Config, NetworkConfig, load_config
from training.networks.base import Example, Network
from training.networks.build import build_network

CONV = NetworkConfig(architecture="conv", latent_dim=5, widths=(4, 6), residual_blocks=(1, 0), hidden=8)
DENSE = NetworkConfig(architecture="dense", latent_dim=5, widths=(12, 9))
FAMILIES = ("ae", "sdae", "vae")


def network_config(family: str, layers: NetworkConfig, **objective: object) -> Config:
    """Return the bundled configuration of a family with other layers and options of the objective."""
    config = load_config(f"digits-{family}")
    changed = config.objective.model_copy(update=objective)
    return config.model_copy(update={"network": layers, "objective": changed})


def image_input(channels: int, height: int, width: int) -> ImageInput:
    """Describe images in [0, 1]."""
    return ImageInput(shape=(channels, height, width), value_range=ValueRange(low=0, high=1))


def build(
    family: str,
    layers: NetworkConfig = DENSE,
    samples: ImageInput | VectorInput | None = None,
    classes: int = 0,
    **objective: object,
) -> Network:
    """Build a network, by default for grey images of 8 x 8 pixels."""
    return build_network(network_config(family, layers, **objective), samples or image_input(1, 8, 8), classes)


def example(x: Tensor, target: Tensor | None = None) -> Example:
    """Return a batch with label 0 in every row; x is its own target by default."""
    return Example(x, x if target is None else target, torch.zeros(len(x), dtype=torch.int64))
