"""The base of a flow draws from the mixture of Gaussians whose density it has."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from tests.helpers.flows import noise
from tests.helpers.mixtures import clusters
from training.priors.flows.base import LearnedBase, MixtureBase

CODES = torch.from_numpy(clusters(400).astype(np.float32))


def base() -> MixtureBase:
    """Return a base that was fitted to two clusters."""
    with torch.no_grad():
        return LearnedBase.fitted(CODES, 2, seed=0).frozen()


def shares(mixture: MixtureBase) -> np.ndarray:
    """Return the weight of each Gaussian."""
    return np.diff([0.0, *torch.special.ndtr(mixture.thresholds).tolist(), 1.0])


def test_the_density_is_that_of_the_mixture() -> None:
    mixture, z = base(), CODES[:20]
    expected = sum(
        weight * multivariate_normal(mean, np.diag(np.square(scale))).pdf(z.numpy())
        for weight, mean, scale in zip(shares(mixture), mixture.means.numpy(), mixture.scales.numpy(), strict=True)
    )
    np.testing.assert_allclose(mixture.log_density(z).numpy(), np.log(expected), rtol=1e-3)


def test_freezing_keeps_the_density() -> None:
    learned = LearnedBase.fitted(CODES, 5, seed=0)
    with torch.no_grad():
        learned.logits.add_(torch.tensor([0.0, 0.5, -1.0, 2.0, 0.3]))
        expected = learned.log_density(CODES).numpy()
        np.testing.assert_allclose(learned.frozen().log_density(CODES).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_draws_fall_into_the_clusters_by_their_weights() -> None:
    draws = base()(noise(5000, 3))
    share = (CODES[:, 1] < 10).float().mean().item()
    assert (draws[:, 1] < 10).float().mean().item() == pytest.approx(share, abs=0.03)


def test_the_first_column_picks_and_the_others_move() -> None:
    mixture = base()
    rows = torch.zeros(2, 3)
    rows[:, 0] = torch.tensor([-9.0, 9.0])
    torch.testing.assert_close(mixture(rows), mixture.means)
    rows[:, 2] = 1.0
    torch.testing.assert_close(mixture(rows)[:, 1], mixture.means[:, 1] + mixture.scales[:, 1])


def test_the_heaviest_gaussian_is_in_the_middle() -> None:
    learned = LearnedBase.fitted(CODES, 5, seed=0)
    with torch.no_grad():
        learned.logits.copy_(torch.tensor([0.0, 4.0, 1.0, 3.0, 2.0]))
        weights = shares(learned.frozen())
    assert weights.argmax() == 2
    assert set(np.argsort(weights)[:2]) == {0, 4}
