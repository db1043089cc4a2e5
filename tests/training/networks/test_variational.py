"""The variational autoencoder's posterior is bounded, and its loss is a bound of a random draw."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from app.inputs import VectorInput
from tests.helpers.flows import shake
from tests.helpers.training_networks import DENSE, build, example, image_input, network_config
from training.config import PriorConfig
from training.errors import InvalidConfiguration
from training.fitting.draws import Draws
from training.networks.build import build_network
from training.networks.variational import VAE

WITHOUT_SHORTCUT = DENSE.model_copy(update={"shortcut": False})
"""Layers that see every number, however far from the others."""


def test_a_posterior_is_never_too_narrow_or_wide_for_float32() -> None:
    network = build("vae", WITHOUT_SHORTCUT, VectorInput(shape=(4,)))
    mu, logvar = network.posterior(1e6 * torch.randn(50, 4, generator=torch.Generator().manual_seed(0)))
    assert logvar.abs().max().item() == 12.0
    assert torch.isfinite((0.5 * logvar).exp() + mu).all()


def test_the_bound_depends_on_the_draw() -> None:
    """The reconstruction term at the posterior mean would be lower, but it would not give a bound."""
    network = build("vae")
    x = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    first, second = (network.loss(example(x), Draws(seed)) for seed in (0, 1))
    assert first["reconstruction"].item() != second["reconstruction"].item()
    assert first["kl"].item() == second["kl"].item()
    assert torch.equal(network.encode(x), network.encode(x))


def test_the_loss_is_the_reconstruction_plus_beta_times_torchs_kl() -> None:
    network = build("vae")
    x = torch.rand(6, 1, 8, 8)
    terms = network.loss(example(x), Draws(0), beta=3.0)
    mu, logvar = network.posterior(x)
    kl = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(terms["kl"], kl)
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + 3 * kl)


def test_free_bits_change_the_loss_but_not_the_reported_kl() -> None:
    x = torch.rand(6, 1, 8, 8)
    plain = build("vae").loss(example(x), Draws(0))
    free = build("vae", free_bits=2.0).loss(example(x), Draws(0))
    assert free["kl"].item() == plain["kl"].item()
    torch.testing.assert_close(free["loss"], free["reconstruction"] + 5 * 2.0)  # each of 5 dimensions is below 2 nats


def test_several_draws_give_a_tighter_bound_on_average() -> None:
    x = torch.rand(64, 1, 8, 8)
    single = build("vae", importance_samples=1).loss(example(x), Draws(0))["loss"]
    several = build("vae", importance_samples=50).loss(example(x), Draws(0))
    assert several["loss"] < single
    torch.testing.assert_close(several["kl"], build("vae").loss(example(x), Draws(0))["kl"])


def with_prior(latent_dim: int = 5, couplings: int = 3) -> VAE:
    """Build a network with a prior that is trained with it."""
    config = network_config("vae", DENSE.model_copy(update={"latent_dim": latent_dim}))
    prior = PriorConfig(kind="realnvp", joint=True, couplings=couplings)
    network = build_network(config.model_copy(update={"prior": prior}), image_input(1, 8, 8))
    assert isinstance(network, VAE)
    return network


def test_a_prior_that_is_trained_with_the_network_begins_as_a_standard_normal() -> None:
    network, x = with_prior(), torch.rand(2000, 1, 8, 8)
    terms = network.loss(example(x), Draws(0))
    mu, logvar = network.posterior(x)
    kl = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(terms["kl"], kl, rtol=0, atol=0.1)  # one draw for each row


def test_the_bound_has_the_density_of_the_prior() -> None:
    network, x = with_prior(), torch.rand(6, 1, 8, 8)
    assert network.prior is not None
    shake(network.prior)
    terms = network.loss(example(x), Draws(0), beta=3.0)
    mu, logvar = network.posterior(x)
    noise = Draws(0).normal(*mu.shape)
    z = mu + (logvar / 2).exp() * noise
    kl = Normal(mu, (logvar / 2).exp()).log_prob(z).sum(1) - network.prior.log_density(z)
    torch.testing.assert_close(terms["kl"], kl.mean())
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + 3 * kl.mean())


def test_the_prior_and_the_encoder_are_trained_by_the_bound() -> None:
    network, x = with_prior(), torch.rand(6, 1, 8, 8)
    assert network.prior is not None
    network.loss(example(x), Draws(0))["kl"].backward()
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.prior.parameters())
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.stack.parameters())
    assert {id(weight) for weight in network.prior.parameters()} <= {id(weight) for weight in network.pair_parameters()}


def test_a_single_latent_has_no_such_prior() -> None:
    with pytest.raises(InvalidConfiguration, match="at least 2 latents"):
        with_prior(latent_dim=1)
