"""Mixtures are fitted to any codes, and their densities are those of a second source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_info, threadpool_limits

from tests.helpers.mixtures import clusters, gaussians, unscaled
from training.priors.codes import Codes
from training.priors.mixture import MAX_MATRIX_NUMBERS, REGULARISATION, Covariance, Groups, Scale, fit_mixture


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_one_gaussian_has_the_moments_and_the_density_of_its_codes(covariance: Covariance) -> None:
    random = np.random.default_rng(0)
    latents = random.normal(size=(500, 3)) @ random.normal(size=(3, 3)) * 100 + 7
    mixture = fit_mixture(Groups.of(Codes(latents), 0), 1, covariance, seed=0)
    assert mixture is not None
    deviation = latents.std(axis=0)
    matrix = np.cov(latents.T, ddof=0) + REGULARISATION * np.diag(deviation**2)
    if covariance == "diagonal":
        matrix = np.diag(np.diag(matrix))
    others = Codes(latents[:50] + 3)
    expected = multivariate_normal(latents.mean(axis=0), matrix).logpdf(others.latents)
    np.testing.assert_allclose(mixture.log_likelihoods(others), expected, rtol=1e-6)


def test_the_density_of_a_mixture_is_that_of_its_gaussians() -> None:
    matrices = np.array([[[1, 0.5], [0.5, 2]], [[3, 0], [0, 1]]])
    mixture = unscaled(gaussians([0.3, 0.7], [[0, 0], [1, 5]], matrices))
    codes = np.array([[0.5, 1.0], [-2.0, 4.0]])
    densities = [
        weight * multivariate_normal(mean, matrix).pdf(codes)
        for weight, mean, matrix in zip((0.3, 0.7), ([0, 0], [1, 5]), matrices, strict=True)
    ]
    np.testing.assert_allclose(mixture.log_likelihoods(Codes(codes)), np.log(sum(densities)), rtol=1e-9)


@pytest.mark.parametrize("method", ["fit", "score_samples"])
def test_a_mixture_is_fitted_and_evaluated_with_one_thread(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two, on a busy machine, a prior took nine times the CPU time."""
    original: Callable[..., Any] = getattr(GaussianMixture, method)
    seen: set[int] = set()

    def noted(*arguments: Any) -> Any:
        seen.update(int(library["num_threads"]) for library in threadpool_info())
        return original(*arguments)

    monkeypatch.setattr(GaussianMixture, method, noted)
    codes = Codes(clusters(60))
    with threadpool_limits(limits=2):
        mixture = fit_mixture(Groups.of(codes, 0), 2, "full", seed=0)
        assert mixture is not None
        mixture.log_likelihoods(codes)
    assert seen == {1}


def test_two_clusters_are_found() -> None:
    mixture = fit_mixture(Groups.of(Codes(clusters(300)), 0), 2, "full", seed=0)
    assert mixture is not None
    means = mixture.scale.shift + mixture.scale.deviation * mixture.parts[0].means_
    order = np.argsort(means[:, 0])
    np.testing.assert_allclose(means[order], [[0, 0], [10, 20]], atol=0.3)
    np.testing.assert_allclose(mixture.parts[0].weights_[order], [1 / 3, 2 / 3], atol=0.01)


@pytest.mark.parametrize(
    ("rows", "dimension", "kind"),
    [
        (1, 2, "random"),
        (2, 1, "random"),
        (50, 32, "random"),
        (50, 256, "random"),
        (300, 1, "random"),
        (300, 4, "one constant"),
        (300, 4, "all constant"),
        (300, 4, "duplicates"),
        (300, 4, "one of a few"),
        (300, 4, "large"),
    ],
)
@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_any_codes_can_be_fitted(rows: int, dimension: int, kind: str, covariance: Covariance) -> None:
    latents = np.random.default_rng(0).normal(size=(rows, dimension))
    latents = {
        "random": latents,
        "one constant": latents * [1, 1, 1, 0] + 3 if dimension == 4 else latents,
        "all constant": np.full_like(latents, 0.1),
        "duplicates": latents[np.arange(rows) % 2],
        "one of a few": latents[np.arange(rows) % 7],
        "large": latents * 1e30,
    }[kind]
    groups = Groups.of(Codes(latents), 0)
    for components in (0, 1, 4):
        mixture = fit_mixture(groups, components, covariance, seed=0)
        if mixture is not None:
            assert np.isfinite(mixture.log_likelihoods(Codes(latents))).all()
            assert (mixture.parts[0].covariances_ > 0).any()
    assert fit_mixture(groups, 0, "diagonal", seed=0) is not None


def test_a_constant_latent_stays_what_it_is() -> None:
    latents = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32) * [1, 0] + [0, 0.1]
    scale = Scale.of(latents.astype(np.float32).astype(np.float64))
    assert scale.deviation[1] == 0
    assert scale.shift[1] == pytest.approx(0.1, rel=1e-6)
    assert not scale.standardise(latents)[:, 1].round(5).any()


def test_each_label_has_a_mixture_of_its_own_and_one_without_codes_that_of_all() -> None:
    latents = np.concatenate([clusters(300)[1::3], np.zeros((100, 2)) + np.random.default_rng(0).normal(size=(100, 2))])
    labels = np.repeat([0, 2], 100)
    mixture = fit_mixture(Groups.of(Codes(latents, labels), 4), 2, "full", seed=0)
    assert mixture is not None
    assert mixture.components == (2, 1, 2, 1)
    centres = [mixture.scale.shift + mixture.scale.deviation * (part.weights_ @ part.means_) for part in mixture.parts]
    np.testing.assert_allclose(centres, [[10, 20], [5, 10], [0, 0], [5, 10]], atol=0.4)
    scores = mixture.log_likelihoods(Codes(np.array([[10.0, 20.0]] * 2), np.array([0, 2])))
    assert scores[0] > scores[1] + 50


def test_the_size_counts_weights_means_and_covariances() -> None:
    full = gaussians([0.5, 0.5], [[0, 0], [1, 1]], [[[1, 0], [0, 1]]] * 2)
    assert unscaled(full).size == 2 * (1 + 2 + 3)
    assert unscaled(full, full, covariance="diagonal").size == 4 * (1 + 2 + 2)


def test_the_number_of_gaussians_is_bounded_by_rows_size_and_time() -> None:
    def most(rows: int, dimension: int, covariance: Covariance) -> int:
        latents = np.broadcast_to(np.arange(rows)[:, None], (rows, dimension)).astype(float)
        return Groups.of(Codes(latents), 0).most_components(covariance)[0]

    assert most(200, 2, "diagonal") == 20
    assert most(200, 2, "full") == 20
    assert most(200, 20, "full") == 5
    assert most(200, 101, "full") == 0
    assert 0 < most(20_000, 256, "full") * 256**2 <= MAX_MATRIX_NUMBERS
    assert most(20_000, 256, "full") < 20_000 // 512
    assert fit_mixture(Groups.of(Codes(np.arange(200.0)[:, None]), 0), 21, "full", seed=0) is None
