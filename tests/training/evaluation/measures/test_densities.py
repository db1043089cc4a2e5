"""Log densities agree with torch and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.distributions import Bernoulli

from training.evaluation.measures.densities import bernoulli_log_density, gaussian_log_density


@pytest.mark.parametrize("binary", [True, False])
def test_the_bernoulli_density_equals_torchs(binary: bool) -> None:
    random = np.random.default_rng(0)
    x = random.random((3, 1, 2, 2)).astype(np.float32)
    x = (x > 0.5).astype(np.float32) if binary else x
    output = random.uniform(0.1, 0.9, (3, 5, 1, 2, 2)).astype(np.float32)
    expected = Bernoulli(torch.from_numpy(output.copy()), validate_args=False).log_prob(torch.from_numpy(x[:, None]))
    assert bernoulli_log_density(x, output) == pytest.approx(expected.flatten(2).sum(2).numpy(), rel=1e-5)


def test_a_certain_but_wrong_pixel_costs_a_finite_number_of_nats() -> None:
    nats = bernoulli_log_density(np.ones((1, 1), np.float32), np.zeros((1, 1, 1), np.float32))
    assert nats.tolist() == [[pytest.approx(math.log(1e-6), rel=1e-6)]]


def test_the_gaussian_density_equals_scipys_for_each_feature() -> None:
    random = np.random.default_rng(0)
    x, output = random.standard_normal((3, 2)).astype(np.float32), random.standard_normal((3, 4, 2)).astype(np.float32)
    std = np.array([0.5, 2.0])
    expected = np.asarray(norm.logpdf(x[:, None], output, std)).sum(axis=2)
    assert gaussian_log_density(x, output, tuple(2 * np.log(std))) == pytest.approx(expected, rel=1e-5)


def test_the_gaussian_variance_of_an_image_belongs_to_its_channel() -> None:
    x, output = np.zeros((1, 2, 1, 3), np.float32), np.ones((1, 1, 2, 1, 3), np.float32)
    expected = 3 * (norm.logpdf(1.0, 0, 1) + norm.logpdf(1.0, 0, 2))
    assert gaussian_log_density(x, output, (0.0, math.log(4))) == pytest.approx(np.array([[expected]]), rel=1e-6)
