"""Loss terms agree with a second source, or with a calculation by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import distributions
from torch.distributions import Normal, kl_divergence

from training.config import VariationalObjective
from training.fitting.draws import Draws
from training.networks.autoencoder import Autoencoder
from training.networks.base import Example
from training.networks.likelihoods import Bernoulli
from training.networks.objectives import (
    bernoulli_nll,
    gaussian_nll,
    importance_weighted_bound,
    kl_to_standard_normal,
    kl_with_free_bits,
    log_prior_ratio,
    neighbour_nll,
    reparameterise,
    squared_error,
)
from training.networks.stacks import Layer, Stack
from training.networks.variational import VAE


def test_a_fair_coin_costs_one_bit_per_pixel() -> None:
    assert bernoulli_nll(torch.zeros(1, 4), torch.ones(1, 4)).item() == pytest.approx(4 * math.log(2))


def test_the_bernoulli_nll_equals_torchs() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(5, 1, 3, 3), (torch.rand(5, 1, 3, 3) > 0.5).float()
    expected = -distributions.Bernoulli(logits=logits).log_prob(target).flatten(1).sum(1)
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


def test_squared_error_is_the_gaussian_nll_without_its_constant() -> None:
    torch.manual_seed(0)
    output, target = torch.randn(4, 7), torch.randn(4, 7)
    expected = -Normal(output, 1.0).log_prob(target).sum(1) - 7 * 0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(squared_error(output, target), expected, rtol=1e-4, atol=1e-5)


def test_reparameterised_samples_have_the_posteriors_mean_and_deviation() -> None:
    mu, logvar = torch.full((50_000, 1), 2.0), torch.full((50_000, 1), math.log(0.25))
    z = reparameterise(mu, logvar, Draws(0).normal(50_000, 1))
    assert z.mean().item() == pytest.approx(2.0, abs=0.01)
    assert z.std().item() == pytest.approx(0.5, abs=0.01)


def test_the_gaussian_nll_equals_torchs() -> None:
    torch.manual_seed(0)
    mean, target, logvar = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2), torch.randn(3, 1, 1)
    expected = -Normal(mean, (0.5 * logvar).exp().expand_as(mean)).log_prob(target).flatten(1).sum(1)
    torch.testing.assert_close(gaussian_nll(mean, logvar, target), expected)


def test_dimensions_below_their_free_bits_cost_the_free_bits_and_have_no_gradient() -> None:
    mu = torch.tensor([[2.0, 0.1], [0.0, 0.3]], requires_grad=True)
    logvar = torch.zeros(2, 2)
    kl = kl_with_free_bits(mu, logvar, 0.5)
    assert kl.item() == pytest.approx((2.0 + 0.0) / 2 + 0.5)  # mu^2 / 2: 2 and 0; 0.005 and 0.045 are below 0.5
    kl.backward()
    assert mu.grad is not None
    assert mu.grad.tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_importance_weights_are_the_ratio_of_torchs_densities() -> None:
    torch.manual_seed(0)
    mu, logvar, noise = torch.randn(5, 3), torch.randn(5, 3), torch.randn(7, 5, 3)
    z = mu + (0.5 * logvar).exp() * noise
    expected = (Normal(0.0, 1.0).log_prob(z) - Normal(mu, (0.5 * logvar).exp()).log_prob(z)).sum(-1)
    torch.testing.assert_close(log_prior_ratio(z, logvar, noise), expected, rtol=1e-4, atol=1e-5)


def test_the_importance_weighted_bound_is_the_log_of_the_mean_weight() -> None:
    weights = torch.tensor([[1.0, 8.0], [3.0, 0.5]])
    expected = [math.log(2.0), math.log(4.25)]
    torch.testing.assert_close(importance_weighted_bound(weights.log()), torch.tensor(expected))
    assert importance_weighted_bound(torch.tensor([[-1000.0], [-1000.0]])).item() == pytest.approx(-1000.0)


class Plain(VAE):
    """A network with mu 1 and unit variance for any x, and zero logits for any z."""

    def posterior(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.ones(len(x), 2), torch.zeros(len(x), 2)

    def decode(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return torch.zeros(len(z), 1, 4, 4)


def plain(**options: Any) -> Plain:
    """Return a network with these options of its objective."""
    objective = VariationalObjective(family="variational-autoencoder", **options)
    return Plain(Stack([Layer(torch.nn.Identity(), torch.nn.Identity())]), Bernoulli(), objective)


@pytest.mark.parametrize("rows", [1, 10])
def test_terms_are_sums_over_features_and_means_over_the_batch(rows: int) -> None:
    x = torch.zeros(rows, 1, 4, 4)
    terms = plain().loss(Example(x, x, torch.zeros(rows, dtype=torch.int64)), Draws(0), beta=3.0)
    assert terms["reconstruction"].item() == pytest.approx(16 * math.log(2))
    assert terms["kl"].item() == pytest.approx(2 * 0.5)
    assert terms["loss"].item() == pytest.approx(16 * math.log(2) + 3.0)


def test_a_bound_with_more_importance_samples_is_tighter_and_reaches_the_likelihood() -> None:
    """The decoder ignores z, so log p(x) is exactly 16 log 1/2, and the ELBO is lower by the KL of 1 nat."""
    x = torch.zeros(400, 1, 4, 4)
    example = Example(x, x, torch.zeros(400, dtype=torch.int64))
    losses = [plain(importance_samples=k).loss(example, Draws(0))["loss"].item() for k in (1, 5, 1000)]
    assert losses[0] == pytest.approx(16 * math.log(2) + 1.0, abs=1e-4)
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] == pytest.approx(16 * math.log(2), abs=0.02)


def test_an_image_of_twice_the_side_has_four_times_the_reconstruction_and_the_same_kl() -> None:
    class AnySize(Plain):
        def decode(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
            return torch.zeros(len(z), 1, side, side)

    terms = []
    for side in (4, 8):
        network = AnySize(plain().stack, Bernoulli(), plain().objective)
        x = torch.zeros(2, 1, side, side)
        terms.append(network.loss(Example(x, x, torch.zeros(2, dtype=torch.int64)), Draws(0)))
    assert terms[1]["reconstruction"].item() == pytest.approx(4 * terms[0]["reconstruction"].item())
    assert terms[1]["kl"].item() == terms[0]["kl"].item()


def test_sparsity_adds_the_l1_norm_of_the_latents() -> None:
    stack = Stack([Layer(torch.nn.Identity(), torch.nn.Identity())])
    x = torch.tensor([[0.5, 0.25], [1.0, 0.0]])
    example = Example(x, x, torch.zeros(2, dtype=torch.int64))
    dense, sparse = (Autoencoder(stack, Bernoulli(), weight).loss(example, Draws(0)) for weight in (0.0, 0.1))
    assert sparse["penalty"].item() == pytest.approx(0.1 * (0.75 + 1.0) / 2)
    assert sparse["loss"].item() == pytest.approx(dense["loss"].item() + 0.0875)


def test_the_loss_of_neighbours_is_the_probability_of_the_neighbour_among_all_others() -> None:
    z = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [9.0, 9.0]])

    def closeness(i: int, j: int) -> float:
        return 1 / (1 + float((z[i] - z[j]).square().sum()))

    expected = [
        -math.log(closeness(i, j) / sum(closeness(i, other) for other in range(5) if other != i))
        for i, j in ((0, 1), (1, 0), (2, 3), (3, 2))
    ]
    torch.testing.assert_close(neighbour_nll(z), torch.tensor(expected))


def test_equal_neighbours_have_a_finite_gradient() -> None:
    z = torch.zeros(4, 2, requires_grad=True)
    neighbour_nll(z).sum().backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()
