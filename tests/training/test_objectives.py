"""Loss terms against a second source."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from training.networks import VAE
from training.networks.base import Network
from training.networks.stacks import Layer, Stack
from training.objectives import bernoulli_nll, kl_to_standard_normal, reparameterise, squared_error


def test_a_fair_coin_costs_one_bit_per_pixel() -> None:
    assert bernoulli_nll(torch.zeros(1, 4), torch.ones(1, 4)).item() == pytest.approx(4 * math.log(2))


def test_the_bernoulli_likelihood_equals_torchs() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(5, 1, 3, 3), (torch.rand(5, 1, 3, 3) > 0.5).float()
    expected = -Bernoulli(logits=logits).log_prob(target).flatten(1).sum(1)
    torch.testing.assert_close(bernoulli_nll(logits, target), expected)


def test_a_grey_target_costs_at_least_its_entropy() -> None:
    target = torch.full((1, 1), 0.3)
    best = bernoulli_nll(torch.logit(target), target).item()
    assert best == pytest.approx(-(0.3 * math.log(0.3) + 0.7 * math.log(0.7)), rel=1e-5)
    assert bernoulli_nll(torch.logit(target) + 0.1, target).item() > best


def test_the_kl_equals_torchs() -> None:
    torch.manual_seed(0)
    mu, logvar = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
    expected = kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_to_standard_normal(mu, logvar), expected, rtol=1e-6, atol=1e-9)


def test_the_kl_has_a_gradient_everywhere() -> None:
    mu = torch.randn(4, 3, requires_grad=True)
    kl_to_standard_normal(mu, torch.zeros(4, 3)).sum().backward()
    torch.testing.assert_close(mu.grad, mu.detach())


def test_squared_error_is_the_gaussian_likelihood_without_its_constant() -> None:
    torch.manual_seed(0)
    output, target = torch.randn(4, 7), torch.randn(4, 7)
    expected = -Normal(output, 1.0).log_prob(target).sum(1) - 7 * 0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(squared_error(output, target), expected, rtol=1e-4, atol=1e-5)


def test_draws_have_the_posteriors_mean_and_deviation() -> None:
    mu, logvar = torch.full((50_000, 1), 2.0), torch.full((50_000, 1), math.log(0.25))
    z = reparameterise(mu, logvar, torch.Generator().manual_seed(0))
    assert z.mean().item() == pytest.approx(2.0, abs=0.01)
    assert z.std().item() == pytest.approx(0.5, abs=0.01)


def test_terms_are_sums_over_features_and_means_over_the_batch() -> None:
    class Plain(VAE):
        """Zero mean and unit variance for any x, zero logits for any z."""

        def posterior(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return torch.ones(len(x), 2), torch.zeros(len(x), 2)

        def decode(self, z: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(z), 1, 4, 4)

    network: Network = Plain(Stack([Layer(torch.nn.Identity(), torch.nn.Identity())]))
    for rows in (1, 10):
        x = torch.zeros(rows, 1, 4, 4)
        terms = network.loss(x, x, beta=3.0, generator=None)
        assert terms["reconstruction"].item() == pytest.approx(16 * math.log(2))
        assert terms["kl"].item() == pytest.approx(2 * 0.5)
        assert terms["loss"].item() == pytest.approx(16 * math.log(2) + 3.0)
