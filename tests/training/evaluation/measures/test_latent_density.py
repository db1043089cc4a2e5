"""Densities of latents agree with scipy, and are those of the prior that the bound has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from tests.helpers.linear import with_trained_prior, write_linear
from training.evaluation.measures.latent_density import log_posterior, log_prior_of
from training.priors.choice import standard_normal

Z = np.random.default_rng(0).standard_normal((5, 3, 2), dtype=np.float32)
MEAN, DEVIATION = np.array([0.5, -1.0]), np.array([0.7, 1.6])


def test_the_standard_normal_density_has_its_constant() -> None:
    np.testing.assert_allclose(standard_normal(Z), norm.logpdf(Z.astype(np.float64)).sum(axis=-1), rtol=1e-6)


def test_the_posteriors_density_is_that_of_its_draw() -> None:
    logvar = np.array([0.3, -2.0], np.float32)
    mu, deviation = np.array([3.0, -1.0]), np.exp(logvar.astype(np.float64) / 2)
    z = mu + deviation * Z
    expected = np.asarray(norm.logpdf(z, mu, deviation)).sum(axis=-1)
    np.testing.assert_allclose(log_posterior(Z, logvar), expected, rtol=1e-6)


def test_a_prior_that_was_fitted_later_has_no_part_in_the_bound(tmp_path: Path) -> None:
    assert log_prior_of(write_linear(tmp_path).model) is standard_normal


@pytest.mark.parametrize("shape", [(5, 3, 2), (5, 2)])
def test_a_trained_prior_gives_its_own_density(tmp_path: Path, shape: tuple[int, ...]) -> None:
    model = with_trained_prior(write_linear(tmp_path), MEAN, DEVIATION).model
    z = np.resize(Z, shape)
    expected = np.asarray(norm.logpdf(z.astype(np.float64), MEAN, DEVIATION)).sum(axis=-1)
    np.testing.assert_allclose(log_prior_of(model)(z), expected, rtol=1e-5, atol=1e-5)
