"""The likelihood follows the data, and learns its variance."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from app.inputs import ImageInput, ValueRange, VectorInput
from app.manifest import BernoulliLikelihood
from tests.helpers.configurations import bundled_config, with_objective
from training.config import Config
from training.errors import InvalidConfiguration
from training.networks.likelihoods import LOGVAR_FLOOR, Bernoulli, Gaussian, build_likelihood, likelihood_name

UNIT = ValueRange(low=0, high=1)
GREY, COLOUR = (ImageInput(shape=(channels, 8, 8), value_range=UNIT) for channels in (1, 3))
TABLE = VectorInput(shape=(5,))


def config_of(**objective: Any) -> Config:
    """Return a configuration with these options of its objective."""
    return with_objective(bundled_config("digits-vae"), **objective)


@pytest.mark.parametrize(("input_spec", "name"), [(GREY, "bernoulli"), (COLOUR, "gaussian"), (TABLE, "gaussian")])
def test_the_likelihood_follows_the_data_unless_it_is_configured(
    input_spec: ImageInput | VectorInput, name: str
) -> None:
    assert likelihood_name(config_of(), input_spec) == name
    assert likelihood_name(config_of(likelihood="gaussian"), input_spec) == "gaussian"
    assert likelihood_name(config_of(likelihood="bernoulli"), input_spec) == "bernoulli"


def test_binarisation_is_refused_for_a_gaussian_likelihood() -> None:
    with pytest.raises(InvalidConfiguration, match="binarisation belongs to the Bernoulli"):
        likelihood_name(config_of(binarisation="dynamic"), TABLE)


def test_each_column_learns_its_own_variance() -> None:
    likelihood = build_likelihood(config_of(), VectorInput(shape=(2,)))
    assert isinstance(likelihood, Gaussian)
    target = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.5, 3.0])
    optimiser = torch.optim.Adam(likelihood.parameters(), lr=0.01)
    for _ in range(300):
        optimiser.zero_grad()
        likelihood.nll(torch.zeros_like(target), target).mean().backward()
        optimiser.step()
    deviations = [math.exp(0.5 * value) for value in likelihood.record().logvar]
    assert deviations == pytest.approx([0.5, 3.0], rel=0.05)


def test_a_perfect_column_does_not_earn_unbounded_nats() -> None:
    likelihood = Gaussian((1,))
    with torch.no_grad():
        likelihood.slow_logvar.fill_(-1000.0)
    assert likelihood.nll(torch.zeros(1, 1), torch.zeros(1, 1)).item() == pytest.approx(
        0.5 * (LOGVAR_FLOOR + math.log(2 * math.pi))
    )


def test_an_image_has_a_variance_for_each_channel() -> None:
    likelihood = build_likelihood(config_of(), COLOUR)
    assert isinstance(likelihood, Gaussian)
    assert likelihood.logvar.shape == (3, 1, 1)
    assert len(likelihood.record().logvar) == 3


def test_only_a_variational_network_has_more_than_one_variance() -> None:
    """The others reconstruct with the least squared error, in which all numbers count the same."""
    for family in ("ae", "sdae"):
        config = with_objective(bundled_config(f"digits-{family}"), likelihood="gaussian")
        for samples in (TABLE, COLOUR):
            likelihood = build_likelihood(config, samples)
            assert isinstance(likelihood, Gaussian)
            assert likelihood.logvar.numel() == 1
            assert len(likelihood.record().logvar) == samples.shape[0]


def test_a_shared_variance_weighs_all_columns_the_same() -> None:
    likelihood = Gaussian((2,), shared=True)
    likelihood.start_at(torch.tensor([[1.0], [7.0]]))  # 4 in the mean
    assert likelihood.record().logvar == pytest.approx((math.log(4),) * 2)
    first, second = likelihood.nll(torch.zeros(2, 2), torch.tensor([[3.0, 0.0], [0.0, 3.0]])).tolist()
    assert first == pytest.approx(second) == pytest.approx(math.log(2 * math.pi * 4) + 9 / 8)


@pytest.mark.parametrize("shared", [False, True])
def test_variances_start_at_mean_squared_errors(shared: bool) -> None:
    likelihood = Gaussian((2, 1, 2), shared)
    likelihood.start_at(torch.tensor([[1.0, 3.0], [10.0, 20.0]]))
    expected = [8.5, 8.5] if shared else [2.0, 15.0]
    assert [math.exp(value) for value in likelihood.record().logvar] == pytest.approx(expected)
    assert likelihood.logvar.requires_grad


def test_variances_of_perfect_columns_start_at_the_floor() -> None:
    """Below it, they would have no gradient."""
    likelihood = Gaussian((2,))
    likelihood.start_at(torch.tensor([[0.0], [1.0]]))
    assert likelihood.record().logvar == pytest.approx((LOGVAR_FLOOR, 0.0))
    likelihood.nll(torch.zeros(1, 2), torch.ones(1, 2)).mean().backward()
    gradient = likelihood.slow_logvar.grad
    assert gradient is not None
    assert gradient[0] != 0


def test_the_mean_is_the_sigmoid_of_logits_or_the_output_itself() -> None:
    output = torch.tensor([[0.0, math.log(3)]])
    torch.testing.assert_close(Bernoulli().mean(output), torch.tensor([[0.5, 0.75]]))
    assert torch.equal(Gaussian((2,)).mean(output), output)
    assert Bernoulli().record() == BernoulliLikelihood()
