"""Flows begin at the Gaussian of the codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from tests.helpers.flows import COVARIANCE, noise
from training.priors.flows.matching import FlowMatching
from training.priors.flows.network import FlowNetwork, batches, log_standard_normal
from training.priors.flows.realnvp import RealNVP


@pytest.mark.parametrize("kind", [RealNVP, FlowMatching])
def test_an_untrained_flow_is_the_gaussian_of_its_covariance(kind: type[FlowNetwork]) -> None:
    network, rows = kind(COVARIANCE), 2 * noise(5)
    with torch.no_grad():
        density, draws = network.log_density(rows).numpy(), network(noise(20_000)).numpy()
    expected = multivariate_normal(np.zeros(3), COVARIANCE.numpy()).logpdf(rows.numpy())
    np.testing.assert_allclose(density, expected, rtol=1e-4)
    np.testing.assert_allclose(np.cov(draws.T), COVARIANCE.numpy(), atol=0.1)


def test_the_density_of_n01_is_that_of_scipy() -> None:
    expected = multivariate_normal(np.zeros(3), np.eye(3)).logpdf(noise(5).numpy())
    np.testing.assert_allclose(log_standard_normal(noise(5)).numpy(), expected, rtol=1e-5)


def test_batches_hold_all_rows_in_order() -> None:
    parts = batches(torch.arange(5), 2)
    assert [part.tolist() for part in parts] == [[0, 1], [2, 3], [4]]
