"""RealNVP's inverse and density are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.helpers.flows import COVARIANCE, noise, shake
from tests.helpers.mixtures import clusters
from training.priors.flows.network import log_standard_normal
from training.priors.flows.realnvp import COUPLINGS, Coupling, RealNVP


def test_the_inverse_of_a_coupling_undoes_it() -> None:
    coupling, rows = Coupling(5), noise(20, 5)
    shake(coupling, 2.0)
    with torch.no_grad():
        z, _ = coupling(rows)
        back = coupling.inverse(z)
    assert (z - rows @ coupling.rotation).abs().max() > 0.5
    np.testing.assert_allclose(back.numpy(), rows.numpy(), atol=1e-4)


def test_the_determinant_of_a_coupling_is_that_of_its_jacobian() -> None:
    coupling, row = Coupling(5), noise(1, 5)
    shake(coupling, 2.0)
    jacobian = torch.autograd.functional.jacobian(lambda x: coupling(x)[0], row)[0, :, 0, :]
    np.testing.assert_allclose(coupling(row)[1].item(), torch.linalg.slogdet(jacobian)[1].item(), rtol=1e-4)


def test_a_coupling_multiplies_by_no_more_than_its_bound() -> None:
    coupling = Coupling(2)
    with torch.no_grad():
        for weight in coupling.parameters():
            weight.fill_(100)
        _, log_determinant = coupling(noise(50, 2).abs())
    assert log_determinant.abs().max() <= 2


def test_the_density_is_that_of_the_graphs_own_map() -> None:
    network, z = RealNVP(COVARIANCE), noise(1)
    shake(network)
    jacobian = torch.autograd.functional.jacobian(network, z)[0, :, 0, :]
    expected = log_standard_normal(z) - torch.linalg.slogdet(jacobian)[1]
    with torch.no_grad():
        np.testing.assert_allclose(network.log_density(network(z)).numpy(), expected.detach().numpy(), rtol=1e-4)
        assert network.loss(network(z), torch.Generator()).item() == -network.log_density(network(z)).item()


def test_the_density_over_several_gaussians_is_that_of_their_draws() -> None:
    """The share of draws in a region is the density's integral over it."""
    network = RealNVP(COVARIANCE[:2, :2], couplings=2)
    network.fit_base(torch.from_numpy(clusters(400).astype(np.float32)), 3, seed=0)
    shake(network.couplings)
    network.freeze_base()
    assert (network.components, network.noise_dim) == (3, 3)
    with torch.no_grad():
        draws = network(noise(200_000, 3)).numpy()
        low, high = np.quantile(draws, [0.3, 0.6], axis=0)
        inside = ((draws > low) & (draws < high)).all(axis=1).mean()
        grid = np.stack(np.meshgrid(*np.linspace(low, high, 300).T), axis=-1).reshape(-1, 2)
        density = network.log_density(torch.from_numpy(grid.astype(np.float32))).exp().mean().item()
    assert density * np.prod(high - low) == pytest.approx(inside, rel=0.1)


def test_the_layers_are_the_couplings() -> None:
    assert RealNVP(COVARIANCE).layers == COUPLINGS
    assert RealNVP(COVARIANCE, couplings=3).layers == 3
