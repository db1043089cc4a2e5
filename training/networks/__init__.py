"""Torch modules: layers in stacks, likelihoods, loss terms, and one network family per file."""

from __future__ import annotations

from training.networks.autoencoder import Autoencoder
from training.networks.base import Example, Network
from training.networks.build import build_network
from training.networks.stacked_denoising import StackedDenoisingAutoencoder
from training.networks.variational import VAE

__all__ = ["VAE", "Autoencoder", "Example", "Network", "StackedDenoisingAutoencoder", "build_network"]
