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


def test_the_mean_is_the_sigmoid_of_logits_or_the_output_itself() -> None:
    output = torch.tensor([[0.0, math.log(3)]])
    torch.testing.assert_close(Bernoulli().mean(output), torch.tensor([[0.5, 0.75]]))
    assert torch.equal(Gaussian((2,)).mean(output), output)
    assert Bernoulli().record() == BernoulliLikelihood()
