"""Torch modules: the stacks they are made of, and one family a file, its paper on top."""

from __future__ import annotations

import torch

from app.manifest import Family
from training.config import Config
from training.networks.autoencoder import Autoencoder
from training.networks.base import Network
from training.networks.stacked_denoising import StackedDenoisingAutoencoder
from training.networks.stacks import STACKS
from training.networks.variational import VAE

NETWORKS: dict[Family, type[Network]] = {
    "autoencoder": Autoencoder,
    "denoising-autoencoder": StackedDenoisingAutoencoder,
    "variational-autoencoder": VAE,
}

__all__ = ["NETWORKS", "VAE", "Autoencoder", "Network", "StackedDenoisingAutoencoder", "build_network"]


def build_network(config: Config, input_shape: tuple[int, ...]) -> Network:
    """The untrained network of a configuration; its weights are drawn with the configuration's seed."""
    heads = 2 if config.objective.family == "variational-autoencoder" else 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.optimisation.seed)
        stack = STACKS[config.network.architecture](config.network, input_shape, heads * config.network.latent_dim)
        return NETWORKS[config.objective.family](stack)
