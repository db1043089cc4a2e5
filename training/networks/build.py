"""Build the network that a configuration describes."""

from __future__ import annotations

import torch

from app.inputs import ImageInput, VectorInput
from training.config import Config, DenoisingObjective, PriorConfig, VariationalObjective, option_of_labels, settled
from training.errors import InvalidConfiguration
from training.networks.autoencoder import Autoencoder
from training.networks.base import Network
from training.networks.classifier import Classifier
from training.networks.denoiser import build_denoiser
from training.networks.likelihoods import Bernoulli, build_likelihood
from training.networks.shortcut import CorrectingStack, Shortcut, guides
from training.networks.stacked_denoising import StackedDenoisingAutoencoder
from training.networks.stacks import STACKS
from training.networks.variational import VAE
from training.priors.flows.realnvp import RealNVP


def build_network(config: Config, input_spec: ImageInput | VectorInput, classes: int = 0) -> Network:
    """
    Build the untrained network for such samples; the configuration's seed decides its weights.

    `classes` is the number of labels in the data; only a conditional network uses it. Raises InvalidConfiguration.
    """
    objective, latent_dim = config.objective, settled(config.network.latent_dim)
    option = option_of_labels(objective)
    if option and classes < 2:
        raise InvalidConfiguration(f"objective.{option}: the data have no labels, or only one")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.optimisation.seed)
        head_dim = 2 * latent_dim if isinstance(objective, VariationalObjective) else latent_dim
        shape = tuple(input_spec.shape)
        tail_dim = latent_dim + (classes if option == "conditional" else 0)
        stack = STACKS[config.network.architecture](config.network, shape, head_dim, tail_dim)
        likelihood = build_likelihood(config, input_spec)
        if config.network.shortcut:
            shortcut = Shortcut(shape, latent_dim, head_dim, tail_dim)
            views = guides(shape, settled(config.network.widths) if config.network.architecture == "conv" else ())
            stack = CorrectingStack(list(stack), shortcut, views, logits=isinstance(likelihood, Bernoulli))
        if isinstance(objective, VariationalObjective):
            prior = _joint_prior(latent_dim, config.prior) if config.prior.joint else None
            return VAE(stack, likelihood, objective, classes if objective.conditional else 0, prior)
        if isinstance(objective, DenoisingObjective):
            network = StackedDenoisingAutoencoder(stack, likelihood)
            if objective.label_weight:
                network.classifier = Classifier(latent_dim, classes, objective.label_weight)
            if objective.denoiser:
                network.denoiser = build_denoiser(shape, objective.denoiser_widths)
            return network
        return Autoencoder(stack, likelihood, objective.sparsity, objective.neighbours)


def _joint_prior(latent_dim: int, options: PriorConfig) -> RealNVP:
    """Return a flow of codes that begins at N(0, I), since its couplings only rotate at first."""
    if latent_dim < 2:
        raise InvalidConfiguration("prior.joint: realnvp needs at least 2 latents, and the model has 1")
    return RealNVP(torch.eye(latent_dim, dtype=torch.float64), options.couplings)
