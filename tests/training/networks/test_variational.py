"""The variational autoencoder's posterior is bounded, and its loss is a bound of a random draw."""

from __future__ import annotations

import torch
from torch.distributions import Normal, kl_divergence

from app.inputs import VectorInput
from tests.helpers.training_networks import DENSE, build, example
from training.fitting.draws import Draws

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
