"""Each part of a score is the number that its definition says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy

from app.manifest import BernoulliLikelihood, GaussianLikelihood
from tests.helpers.flows import COVARIANCE, shake
from tests.helpers.mixtures import gaussians, unscaled
from training.priors.codes import Codes
from training.priors.flows.fit import Flow
from training.priors.flows.realnvp import RealNVP
from training.priors.mixture import Scale
from training.scorers.features import Features
from training.scorers.parts import Evidence, FlowSurprise, NearestRow, ReconstructionError, Surprise

RANDOM = np.random.default_rng(0)
TWO = gaussians([0.25, 0.75], [[0, 0], [10, 20]], [[[4, 2], [2, 3]], [[1, 0], [0, 9]]])
DIAGONAL = gaussians([0.25, 0.75], [[0, 0], [10, 20]], [[4, 3], [1, 9]])


def features(x: np.ndarray[tuple[int, ...], np.dtype[np.float64]], error: float = 0.0, latents: int = 2) -> Features:
    """Return rows whose reconstructions differ from them by one error, and whose latents are their first numbers."""
    rows = torch.from_numpy(x.astype(np.float32))
    return Features(rows, rows.flatten(1)[:, :latents], rows + error, torch.zeros(len(rows), 0))


def test_an_error_as_large_as_those_of_held_out_rows_is_one() -> None:
    rows = features(RANDOM.normal(size=(50, 3)), error=0.5)
    part = ReconstructionError(rows)
    torch.testing.assert_close(part(rows), torch.ones(50, 3))
    torch.testing.assert_close(part(features(RANDOM.normal(size=(2, 3)), error=1.0)), torch.full((2, 3), 4.0))


def test_a_number_that_is_hard_to_reconstruct_counts_less() -> None:
    rows = Features(
        torch.zeros(95, 2), torch.zeros(95, 1), torch.tensor([[1.0, 3.0]]).repeat(95, 1), torch.zeros(95, 0)
    )
    expected = ReconstructionError(rows).expected
    torch.testing.assert_close(expected, torch.tensor([[(95 + 5 * 5) / 100, (95 * 9 + 5 * 5) / 100]]))


def images(errors: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Features:
    """Return black images, (N, C, H, W), whose reconstructions have these squared errors."""
    x = torch.zeros(errors.shape)
    return Features(x, torch.zeros(len(x), 1), torch.from_numpy(errors).float().sqrt(), torch.zeros(len(x), 0))


def test_an_error_of_a_pixel_counts_against_its_own_and_against_that_of_all_pixels() -> None:
    held_out = images(np.array([0.0, 4.0]).reshape(1, 1, 1, 2).repeat(500, axis=0))
    errors = ReconstructionError(held_out)(images(np.full((1, 1, 1, 2), 6.0)))
    torch.testing.assert_close(errors.flatten(), torch.tensor([6 / 1, 6 / 3]))


def test_the_error_of_an_image_is_that_of_its_worst_square() -> None:
    part = ReconstructionError(images(np.ones((20, 2, 5, 6))))
    spot, spread = np.zeros((2, 1, 2, 5, 6))
    spot[0, :, 2:5, 3:6], spread[0, :, ::2] = 9.0, 9.0
    torch.testing.assert_close(part.largest(images(np.concatenate([spot, spread]))), torch.tensor([9.0, 6.0]))


def test_an_image_smaller_than_a_square_has_its_mean_error() -> None:
    part = ReconstructionError(images(np.ones((20, 1, 2, 2))))
    torch.testing.assert_close(part.largest(images(np.arange(4.0).reshape(1, 1, 2, 2))), torch.tensor([1.5]))


def test_the_error_of_a_vector_is_the_mean() -> None:
    rows = features(RANDOM.normal(size=(50, 3)), error=0.5)
    part = ReconstructionError(rows)
    torch.testing.assert_close(part.largest(features(np.zeros((1, 3)), error=1.0)), torch.tensor([4.0]))


def test_errors_are_finite_if_held_out_rows_have_none() -> None:
    rows = features(RANDOM.normal(size=(5, 3)))
    assert ReconstructionError(rows)(features(np.zeros((1, 3)), error=1.0)).isfinite().all()


def test_distances_of_small_samples_are_in_deviations_and_in_ranges() -> None:
    bank, asked = RANDOM.normal(3, [1, 5, 20], size=(40, 3)), RANDOM.normal(3, [1, 5, 20], size=(7, 3))
    part = NearestRow(features(bank), torch.arange(40))
    for distance, scale in zip(part(features(asked)), (bank.std(axis=0), np.ptp(bank, axis=0)), strict=True):
        np.testing.assert_allclose(distance.numpy(), cdist(asked / scale, bank / scale).min(axis=1), rtol=1e-3)


def test_distances_of_large_samples_are_those_of_their_latents() -> None:
    bank, asked = RANDOM.normal(0, 2, size=(40, 300)), RANDOM.normal(0, 2, size=(7, 300))
    standardised, plain = NearestRow(features(bank), torch.arange(40))(features(asked))
    np.testing.assert_allclose(plain.numpy(), cdist(asked[:, :2], bank[:, :2]).min(axis=1), atol=1e-3)
    scale = bank[:, :2].std(axis=0)
    np.testing.assert_allclose(
        standardised.numpy(), cdist(asked[:, :2] / scale, bank[:, :2] / scale).min(axis=1), atol=1e-3
    )


def test_the_noise_of_an_unused_latent_is_not_enlarged() -> None:
    bank = RANDOM.normal(0, 1, size=(40, 300)) * np.where(np.arange(300) == 1, 1e-4, 1.0)
    assert NearestRow(features(bank), torch.arange(40)).scalings[0, 1] < 20


def test_a_row_of_the_bank_is_at_a_distance_of_zero() -> None:
    bank = RANDOM.normal(size=(40, 64))
    for distance in NearestRow(features(bank), torch.arange(40))(features(bank)):
        assert distance.tolist() == [0.0] * 40


@pytest.mark.parametrize("rows_per_chunk", [3, 512])
def test_among_themselves_rows_of_the_bank_ignore_their_own_distance(rows_per_chunk: int) -> None:
    bank = RANDOM.normal(size=(40, 3))
    part = NearestRow(features(bank), torch.arange(40))
    scaled = bank / bank.std(axis=0)
    expected = np.sort(cdist(scaled, scaled), axis=1)[:, 1]
    np.testing.assert_allclose(part.among_themselves(0, rows_per_chunk).numpy(), expected, rtol=1e-3)


def test_a_number_that_never_varies_keeps_its_unit() -> None:
    bank = np.column_stack([np.arange(9.0), np.full(9, 5.0)])
    part = NearestRow(features(bank), torch.arange(9))
    np.testing.assert_allclose(part(features(np.array([[4.0, 8.0]])))[1].numpy(), [3.0], rtol=1e-4)


@pytest.mark.parametrize("part", [TWO, DIAGONAL])
def test_the_surprise_is_the_mixtures_negative_log_density(part: object) -> None:
    rows = RANDOM.normal(5, 8, size=(20, 2))
    surprise = Surprise(unscaled(part, covariance="full"))(features(rows))
    np.testing.assert_allclose(surprise.numpy(), -part.score_samples(rows), rtol=1e-4)  # type: ignore[attr-defined]


def posterior_features(rows: int = 6) -> Features:
    """Return images of 1 x 2 x 2 with values around [0, 1], reconstructions inside it, and a posterior of 3 latents."""
    x = torch.from_numpy(RANDOM.normal(0.5, 0.4, size=(rows, 1, 2, 2)).astype(np.float32))
    p = torch.from_numpy(RANDOM.uniform(0.05, 0.95, size=(rows, 1, 2, 2)).astype(np.float32))
    mu, logvar = (torch.from_numpy(RANDOM.normal(size=(rows, 3)).astype(np.float32)) for _ in range(2))
    return Features(x, mu, p, logvar)


def test_the_evidence_of_a_bernoulli_likelihood_is_the_bound_at_the_mean() -> None:
    rows = posterior_features()
    nats = Evidence(BernoulliLikelihood(), 3, None)(rows)
    reconstruction = binary_cross_entropy(rows.reconstructions, rows.x.clamp(0, 1), reduction="none").flatten(1).sum(1)
    kl = kl_divergence(Normal(rows.latents, (rows.logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(nats, reconstruction + kl)


def test_the_evidence_of_a_gaussian_likelihood_has_its_variances() -> None:
    rows = posterior_features()
    nats = Evidence(GaussianLikelihood(logvar=(-1.5,)), 3, None)(rows)
    reconstruction = -Normal(rows.reconstructions, np.exp(-0.75)).log_prob(rows.x).flatten(1).sum(1)
    kl = kl_divergence(Normal(rows.latents, (rows.logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(nats, reconstruction + kl)


def test_the_evidence_has_the_density_of_a_trained_prior() -> None:
    network = RealNVP(COVARIANCE, couplings=2).eval().requires_grad_(False)
    shake(network)
    flow = Flow("realnvp", Scale(np.array([1.0, 0, -3]), np.array([2.0, 1, 0.5])), network)
    rows = posterior_features()
    surprise = FlowSurprise(flow)
    expected = -flow.log_likelihoods(Codes(rows.latents.double().numpy()))
    np.testing.assert_allclose(surprise(rows).numpy(), expected, rtol=1e-4)
    entropy = Normal(rows.latents, (rows.logvar / 2).exp()).entropy().sum(1)
    likelihood = BernoulliLikelihood()
    plain, trained = Evidence(likelihood, 3, None), Evidence(likelihood, 3, surprise)
    torch.testing.assert_close(
        trained(rows), plain.reconstruction(rows.x, rows.reconstructions) + surprise(rows) - entropy
    )


def test_a_value_beyond_0_and_1_is_no_less_strange_under_a_bernoulli_likelihood() -> None:
    part = Evidence(BernoulliLikelihood(), 3, None)
    mean = torch.full((3, 1, 2, 2), 0.99)
    x = torch.tensor([1.0, 9.0, -9.0]).view(3, 1, 1, 1).expand(3, 1, 2, 2)
    one, above, below = part.reconstruction(x, mean)
    assert below > above >= one
