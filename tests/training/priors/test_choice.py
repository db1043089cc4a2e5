"""The validation part chooses the mixture, and decides whether it is better than N(0, I)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tests.helpers.mixtures import clusters
from training.config import PriorConfig
from training.priors.choice import choose_mixture, exceeds_chance, numbers_of_components, standard_normal
from training.priors.codes import Codes

RANDOM = np.random.default_rng(1)
NORMAL = Codes(RANDOM.standard_normal((400, 3))), Codes(RANDOM.standard_normal((200, 3)))
CLUSTERS = Codes(clusters(400)), Codes(clusters(200, seed=1))


def test_two_clusters_get_more_than_one_gaussian() -> None:
    choice = choose_mixture(*CLUSTERS, 0, PriorConfig(), seed=0)
    single = choose_mixture(*CLUSTERS, 0, PriorConfig(components=1), seed=0)
    assert choice.mixture.components == (2,)
    assert choice.log_likelihood > single.log_likelihood + 1
    assert choice.log_likelihood == pytest.approx(choice.mixture.log_likelihoods(CLUSTERS[1]).mean())
    assert "200 codes of the validation part, among 1 to 64 Gaussians with diagonal or full covariance" in choice.rule
    assert choice.rows == 400


def test_the_validation_part_decides_and_not_the_training_part() -> None:
    """One Gaussian is the truth; the training part itself would be likeliest under the most Gaussians."""
    choice = choose_mixture(*NORMAL, 0, PriorConfig(), seed=0)
    assert choice.mixture.components == (1,)
    crowd = choose_mixture(*NORMAL, 0, PriorConfig(components=32), seed=0)
    assert crowd.mixture.components == (32,)
    assert crowd.mixture.log_likelihoods(NORMAL[0]).mean() > choice.mixture.log_likelihoods(NORMAL[0]).mean()
    assert crowd.log_likelihood < choice.log_likelihood


def test_correlated_codes_get_a_full_covariance_and_independent_ones_with_few_rows_do_not() -> None:
    correlated = np.repeat(RANDOM.standard_normal((300, 1)), 3, axis=1) + 0.1 * RANDOM.standard_normal((300, 3))
    parts = Codes(correlated[:200]), Codes(correlated[200:])
    assert choose_mixture(*parts, 0, PriorConfig(), seed=0).mixture.covariance == "full"
    few = Codes(RANDOM.standard_normal((70, 30))), Codes(RANDOM.standard_normal((40, 30)))
    assert choose_mixture(*few, 0, PriorConfig(), seed=0).mixture.covariance == "diagonal"


def test_a_mixture_is_better_than_n01_only_beyond_chance() -> None:
    choice = choose_mixture(*NORMAL, 0, PriorConfig(), seed=0)
    assert not choice.is_better
    assert choice.standard_normal == pytest.approx(standard_normal(NORMAL[1].latents).mean())
    assert choose_mixture(*CLUSTERS, 0, PriorConfig(), seed=0).is_better


@pytest.mark.parametrize(
    ("options", "components", "covariance"),
    [
        ({"components": 3}, (3,), None),
        ({"covariance": "diagonal"}, None, "diagonal"),
        ({"kind": "normal"}, (1,), None),
        ({"components": 2, "covariance": "full"}, (2,), "full"),
        ({"components": 99, "covariance": "full"}, (1,), "diagonal"),  # the codes are too few
    ],
)
def test_the_options_are_obeyed(
    options: dict[str, object], components: tuple[int, ...] | None, covariance: str | None
) -> None:
    mixture = choose_mixture(*CLUSTERS, 0, PriorConfig.model_validate(options), seed=0).mixture
    assert components in (None, mixture.components)
    assert covariance in (None, mixture.covariance)


def test_the_labels_of_a_conditional_model_share_the_choice() -> None:
    labels = (np.arange(400) % 3 > 0).astype(np.int64)
    train, held_out = Codes(CLUSTERS[0].latents, labels), Codes(CLUSTERS[1].latents, labels[:200])
    choice = choose_mixture(train, held_out, 2, PriorConfig(), seed=0)
    assert choice.mixture.components == (1, 1)
    assert len(choice.mixture.parts) == 2


def test_the_same_seed_makes_the_same_choice() -> None:
    first, second = (choose_mixture(*CLUSTERS, 0, PriorConfig(), seed=5).log_likelihood for _ in range(2))
    assert first == second


def test_the_density_of_n01_is_that_of_scipy() -> None:
    expected = multivariate_normal(np.zeros(3), np.eye(3)).logpdf(NORMAL[0].latents)
    np.testing.assert_allclose(standard_normal(NORMAL[0].latents), expected)


@pytest.mark.parametrize(
    ("differences", "exceeds"),
    [([1, 1, 1, 2], True), ([-1, -1, -1, -2], False), ([3, -1, 3, -1], False), ([5], False), ([0, 0], False)],
)
def test_chance_is_two_standard_errors(differences: list[float], exceeds: bool) -> None:
    """The mean of 3, -1, 3, -1 is 1, and its standard error 1.15."""
    assert exceeds_chance(np.array(differences, float)) == exceeds


def test_fewer_standard_errors_are_exceeded_sooner() -> None:
    differences = np.array([3.0, -1, 3, -1])
    assert exceeds_chance(differences, standard_errors=0.8)
    assert not exceeds_chance(differences, standard_errors=0.9)


def test_a_single_number_of_gaussians_is_tried_if_it_is_stated() -> None:
    assert numbers_of_components(PriorConfig(components=7)) == (7,)
    assert numbers_of_components(PriorConfig()) == (1, 2, 4, 8, 16, 32, 64)
