"""The graph of a mixture makes latents of noise that are distributed as the mixture is."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
import torch

from tests.helpers.mixtures import gaussians, unscaled
from training.priors.graph import MixtureGraph, arrange
from training.priors.mixture import Mixture, Scale

TWO = gaussians([0.25, 0.75], [[0, 0], [10, 20]], [[[4, 2], [2, 3]], [[1, 0], [0, 9]]])
DIAGONAL = gaussians([0.25, 0.75], [[0, 0], [10, 20]], [[4, 3], [1, 9]])


def noise(rows: int, columns: int) -> torch.Tensor:
    """Return seeded noise."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal((rows, columns), dtype=np.float32))


def test_the_first_column_picks_gaussians_by_their_weights() -> None:
    graph = MixtureGraph(unscaled(TWO))
    assert graph.noise_dim == 3
    quantiles = [0.0001, 0.2499, 0.2501, 0.9999]
    rows = torch.tensor([[NormalDist().inv_cdf(q), 0, 0] for q in quantiles])
    assert graph(rows).tolist() == [[0, 0], [0, 0], [10, 20], [10, 20]]


@pytest.mark.parametrize(("part", "covariance"), [(TWO, [[4, 2], [2, 3]]), (DIAGONAL, [[4, 0], [0, 3]])])
def test_the_other_columns_have_the_gaussians_covariance(part: object, covariance: list[list[float]]) -> None:
    graph = MixtureGraph(unscaled(part, covariance="full"))
    rows = noise(40_000, 3)
    rows[:, 0] = -5  # the first Gaussian
    draws = graph(rows).numpy()
    np.testing.assert_allclose(draws.mean(axis=0), [0, 0], atol=0.05)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.1)


def test_draws_have_the_moments_of_the_mixture_in_the_units_of_the_latents() -> None:
    scale = Scale(np.array([100.0, 0.0]), np.array([2.0, 0.0]))
    draws = MixtureGraph(Mixture(scale, (TWO,), "full"))(noise(40_000, 3)).numpy()
    np.testing.assert_allclose(draws.mean(axis=0), [100 + 2 * 7.5, 0], atol=0.2)
    variance = 0.25 * 4 + 0.75 * 1 + 0.25 * 0.75 * 10**2  # within the Gaussians, and between their means
    assert draws[:, 0].var() == pytest.approx(4 * variance, rel=0.02)
    assert not draws[:, 1].any()  # a constant latent stays constant


def test_rows_do_not_depend_on_each_other() -> None:
    graph, rows = MixtureGraph(unscaled(TWO)), noise(50, 3)
    torch.testing.assert_close(graph(rows)[7:8], graph(rows[7:8]))
    torch.testing.assert_close(graph(rows.flip(0)).flip(0), graph(rows))


def test_each_label_has_its_own_mixture_of_its_own_size() -> None:
    one = gaussians([1.0], [[-7, -7]], [[[1, 0], [0, 1]]])
    graph = MixtureGraph(unscaled(TWO, one))
    rows, labels = torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])
    rows[2:, 0] = 50
    assert graph(rows, labels).tolist() == [[10, 20], [-7, -7], [10, 20], [-7, -7]]
    inputs = graph.example_inputs(5, True, 0)
    assert inputs["labels"].tolist() == [0, 1, 0, 1, 0]
    assert "labels" not in graph.example_inputs(5, False, 0)


def test_a_single_gaussian_needs_no_threshold() -> None:
    graph = MixtureGraph(unscaled(gaussians([1.0], [[1, 2]], [[[1, 0], [0, 1]]])))
    np.testing.assert_allclose(graph(torch.tensor([[-9.0, 1, 0], [9, 0, 1]])), [[2, 2], [1, 3]], atol=1e-6)


def test_the_heaviest_gaussians_are_in_the_middle() -> None:
    weights = [0.1, 0.4, 0.15, 0.05, 0.3]
    arranged, means, factors = arrange(gaussians(weights, [[w] for w in weights], [[[w]] for w in weights]))
    assert arranged.tolist() == [0.05, 0.15, 0.4, 0.3, 0.1]
    assert means.ravel().tolist() == arranged.tolist()
    np.testing.assert_allclose(factors.ravel() ** 2, arranged)
