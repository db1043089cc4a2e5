"""Build the network that a configuration describes."""

from __future__ import annotations

import torch

from app.manifest import ImageInput, VectorInput
from training.config import Config, DenoisingObjective, VariationalObjective
from training.errors import InvalidConfiguration
from training.networks.autoencoder import Autoencoder
from training.networks.base import Network
from training.networks.likelihoods import build_likelihood
from training.networks.stacked_denoising import StackedDenoisingAutoencoder
from training.networks.stacks import STACKS
from training.networks.variational import VAE


def build_network(config: Config, given: ImageInput | VectorInput, classes: int = 0) -> Network:
    """
    The untrained network of a configuration for such samples; its weights are drawn with the configuration's seed.

    `classes` is how many labels the data have; only a conditional network is told them. Raises InvalidConfiguration.
    """
    objective, latent_dim = config.objective, config.network.latent_dim
    told = 0
    if isinstance(objective, VariationalObjective) and objective.conditional:
        told = classes
        if classes < 2:
            raise InvalidConfiguration("objective.conditional: the data have no labels, or one alone")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.optimisation.seed)
        head_dim = 2 * latent_dim if isinstance(objective, VariationalObjective) else latent_dim
        stack = STACKS[config.network.architecture](config.network, tuple(given.shape), head_dim, latent_dim + told)
        likelihood = build_likelihood(config, given)
        if isinstance(objective, VariationalObjective):
            return VAE(stack, likelihood, objective, told)
        if isinstance(objective, DenoisingObjective):
            return StackedDenoisingAutoencoder(stack, likelihood)
        return Autoencoder(stack, likelihood, objective.sparsity)
