"""Flow matching learns a velocity, and its density is that of the steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.helpers.flows import COVARIANCE, noise, shake
from training.priors.flows.matching import MAX_DENSITY_ROWS, FlowMatching
from training.priors.flows.network import log_standard_normal


def test_the_density_is_that_of_the_graphs_own_map() -> None:
    network, z = FlowMatching(COVARIANCE, steps=4), noise(1)
    shake(network, 1.0)
    jacobian = torch.autograd.functional.jacobian(network, z)[0, :, 0, :]
    expected = log_standard_normal(z) - torch.linalg.slogdet(jacobian)[1]
    with torch.no_grad():
        codes = network(z)
        assert (codes - z @ network.unwhiten).abs().max() > 0.1
        np.testing.assert_allclose(network.log_density(codes).numpy(), expected.detach().numpy(), rtol=1e-3)


def test_a_velocity_is_followed_in_midpoint_steps() -> None:
    """For dx/dt = x, one midpoint step of size h multiplies by 1 + h + h^2 / 2."""
    network = FlowMatching(torch.eye(2, dtype=torch.float64), steps=2)
    network.velocity.forward = lambda x, time: x  # type: ignore[method-assign]
    np.testing.assert_allclose(network(torch.ones(1, 2)).numpy(), [[1.625**2] * 2], rtol=1e-6)


def test_a_velocity_that_depends_on_time_is_taken_at_the_middle_of_each_step() -> None:
    """The integral of t from 0 to 1, which the midpoint rule gives exactly."""
    network = FlowMatching(torch.eye(2, dtype=torch.float64), steps=2)
    network.velocity.forward = lambda x, time: time[:, None].expand_as(x)  # type: ignore[method-assign]
    np.testing.assert_allclose(network(torch.zeros(1, 2)).numpy(), [[0.5, 0.5]], rtol=1e-6)


def test_no_velocity_costs_the_distance_of_noise_and_codes() -> None:
    """The squared distance of two independent standard normal vectors of D numbers is 2 D on average."""
    network = FlowMatching(COVARIANCE)
    codes = noise(20_000) @ network.unwhiten
    with torch.no_grad():
        loss = network.loss(codes, torch.Generator().manual_seed(3))
    assert loss.mean().item() == pytest.approx(6, rel=0.03)


@pytest.mark.parametrize(("latents", "rows"), [(3, 500), (64, 256), (2000, 1)])
def test_the_density_is_computed_at_fewer_codes_of_more_latents(latents: int, rows: int) -> None:
    network = FlowMatching(torch.eye(latents, dtype=torch.float64), width=8)
    assert network.density_rows(10_000) == rows
    assert network.density_rows(1) == 1
    assert rows <= MAX_DENSITY_ROWS


def test_the_layers_are_the_steps() -> None:
    assert FlowMatching(COVARIANCE, steps=5).layers == 5
