"""Results: draws from a posterior."""

from __future__ import annotations

import numpy as np
import pytest

from app.engine.results import Posterior
from app.errors import NotFinite
from tests.helpers.arrays import array


def test_draws_have_the_mean_and_the_deviation_of_the_posterior() -> None:
    posterior = Posterior(np.full((20_000, 2), 3, np.float32), np.full((20_000, 2), np.log(0.25), np.float32))
    draws = posterior.sample(seed=1)
    np.testing.assert_allclose(draws.mean(axis=0), [3, 3], atol=0.02)
    np.testing.assert_allclose(draws.std(axis=0), [0.5, 0.5], atol=0.02)


def test_a_deterministic_result_is_its_own_draw() -> None:
    mu = array([[1, 2]])
    assert Posterior(mu, None).sample(seed=1) is mu


def test_a_deviation_that_is_too_large_is_an_error() -> None:
    with pytest.raises(NotFinite, match="infinite latents"):
        Posterior(array([[0.0]]), array([[500.0]])).sample(seed=1)
