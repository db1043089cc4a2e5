"""Likelihoods against closed forms, torch.distributions and scipy."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.distributions import Bernoulli, Normal, kl_divergence

from app.engine.repository import load_version
from tests.helpers import tiny
from tests.helpers.linear import Linear, write_linear
from training.config import Binarisation
from training.data.dataset import DataSet, Split
from training.errors import InvalidConfiguration
from training.evaluation import POSTERIOR_SEED, Subject, bounds, nll
from training.evaluation.bounds import (
    IMPORTANCE_STREAM,
    Targets,
    kl_by_dimension,
    log_likelihoods,
    measure_bounds,
)

IMAGES = np.random.default_rng(5).uniform(0.2, 0.8, (9, 1, 2, 2)).astype(np.float32)


@pytest.fixture
def exact(tmp_path: Path) -> Linear:
    """Its q(z|x) is the true posterior."""
    return write_linear(tmp_path)


@pytest.fixture
def worse(tmp_path: Path) -> Linear:
    """Its q(z|x) is wider than the true posterior and beside it."""
    return write_linear(tmp_path, rows=200, widening=1.6, offset=0.5)


@pytest.fixture
def images(tmp_path: Path) -> Subject:
    """The tiny variational model and images that it does not clip."""
    return tiny_subject(tmp_path, ())


def tiny_subject(folder: Path, labels: tuple[str, ...], seed: int = 0) -> Subject:
    """The tiny variational model; with labels, a conditional one, and every second row is of its last label."""
    model = load_version(tiny.write_version(folder, family="variational-autoencoder", labels=labels), "tiny", 1)
    numbers = np.arange(len(IMAGES)) % 2 if labels else None
    split = Split(IMAGES, numbers, 1.0)
    return Subject.of(model, DataSet("tiny", tiny.IMAGE, labels[::-1], split, split, split), seed)


def estimate(subject: Subject, count: int, binarisation: Binarisation = "none") -> np.ndarray:
    """The estimate of -log p(x), a row each."""
    targets = Targets(subject, binarisation)
    return nll(subject, targets, targets.posterior(), count)


@pytest.mark.parametrize("count", [1, 3, 1000])
def test_with_the_true_posterior_any_number_of_draws_gives_log_p_exactly(exact: Linear, count: int) -> None:
    nats = estimate(Subject.of(exact.model, exact.data), count)
    assert nats == pytest.approx(-exact.log_density(), abs=1e-4)


def test_the_estimate_falls_to_the_closed_form_as_draws_are_added(worse: Linear) -> None:
    subject = Subject.of(worse.model, worse.data)
    means = [estimate(subject, count).mean() for count in (1, 4, 32, 8000)]
    truth = -worse.log_density().mean()
    assert means[0] > means[1] > means[2] > means[3]
    assert means[0] > truth + 0.2
    assert means[3] == pytest.approx(truth, abs=0.005)


@pytest.mark.parametrize("binarisation", ["none", "dynamic"])
def test_one_draw_is_the_bound_of_that_draw(images: Subject, binarisation: Binarisation) -> None:
    targets = Targets(images, binarisation)
    x = targets.take(0, len(targets))
    posterior = targets.posterior()
    assert posterior.logvar is not None
    noise = [
        np.random.default_rng((0, IMPORTANCE_STREAM, row)).standard_normal((1, 2), np.float32)[0] for row in range(9)
    ]
    mu, std = torch.from_numpy(posterior.mu), torch.from_numpy(np.exp(posterior.logvar / 2))
    z = mu + std * torch.from_numpy(np.stack(noise))
    p = torch.from_numpy(images.model.decode(z.numpy())).clamp(1e-6, 1 - 1e-6)
    log_joint = Bernoulli(p, validate_args=False).log_prob(torch.from_numpy(x)).flatten(1).sum(1)
    log_weight = log_joint + (Normal(0.0, 1.0).log_prob(z) - Normal(mu, std).log_prob(z)).sum(1)
    assert estimate(images, 1, binarisation) == pytest.approx(-log_weight.numpy(), rel=1e-4)


@pytest.mark.parametrize("rows", [1, 7, 50, 256])
@pytest.mark.parametrize("binarisation", ["none", "threshold", "dynamic"])
def test_the_estimate_does_not_depend_on_the_chunks(
    images: Subject, monkeypatch: pytest.MonkeyPatch, rows: int, binarisation: Binarisation
) -> None:
    whole = estimate(images, 20, binarisation)
    monkeypatch.setattr(bounds, "DECODED_ROWS", rows)
    assert estimate(images, 20, binarisation) == pytest.approx(whole, rel=1e-6)


def test_another_seed_draws_others(tmp_path: Path, images: Subject) -> None:
    other = tiny_subject(tmp_path / "other", (), seed=1)
    assert estimate(images, 5) == pytest.approx(estimate(images, 5), rel=1e-9)
    assert (estimate(images, 5) != estimate(other, 5)).all()
    assert (Targets(images, "dynamic").take(0, 9) != Targets(other, "dynamic").take(0, 9)).any()


def test_a_row_is_decoded_under_its_own_label(tmp_path: Path) -> None:
    subject = tiny_subject(tmp_path, ("first", "second"))
    plain = tiny_subject(tmp_path / "plain", ())
    z = np.full((9, 2), 0.6, np.float32)
    told = -log_likelihoods(subject, Targets(subject, "none"), z)
    untold = -log_likelihoods(plain, Targets(plain, "none"), z)
    second = np.arange(9) % 2 == 0  # the data's classes stand in the other order
    p, x = 0.6 / 2 + 0.25, IMAGES.reshape(9, 4).astype(np.float64)
    expected = -(x * math.log(p) + (1 - x) * math.log(1 - p)).sum(axis=1)
    assert told[second] == pytest.approx(expected[second], rel=1e-5)
    assert told[~second] == pytest.approx(untold[~second], rel=1e-6)
    weighted, unweighted = estimate(subject, 3), estimate(plain, 3)
    assert weighted[~second] == pytest.approx(unweighted[~second], rel=1e-6)
    assert (np.abs(weighted - unweighted)[second] > 0.01).all()


def test_the_bound_of_a_gaussian_likelihood_has_all_its_constants(exact: Linear) -> None:
    subject = Subject.of(exact.model, exact.data)
    values = measure_bounds(subject, "none", 0).values
    posterior = exact.model.posterior(exact.data.test.in_users_units())
    assert posterior.logvar is not None
    z = posterior.sample(POSTERIOR_SEED).astype(np.float64)
    mean = z @ exact.weights.T + exact.bias
    expected = -np.asarray(norm.logpdf(exact.x(), mean, np.sqrt(exact.variance))).sum(axis=1).mean()
    mu, std = torch.from_numpy(posterior.mu), torch.from_numpy(np.exp(posterior.logvar / 2))
    kl = kl_divergence(Normal(mu, std), Normal(0.0, 1.0)).numpy()
    assert values["reconstruction"] == pytest.approx(expected, rel=1e-5)
    assert values["kl"] == pytest.approx(kl.sum(axis=1).mean(), rel=1e-5)
    assert values["kl_per_dimension_min"] == pytest.approx(kl.mean(axis=0).min(), rel=1e-5)
    assert values["kl_per_dimension_max"] == pytest.approx(kl.mean(axis=0).max(), rel=1e-5)
    assert values["negative_elbo"] == pytest.approx(expected + kl.sum(axis=1).mean(), rel=1e-5)
    assert "nll" not in values


def test_the_kl_is_torchs_row_by_row_and_dimension_by_dimension() -> None:
    random = np.random.default_rng(0)
    mu, logvar = random.standard_normal((2, 6, 3)).astype(np.float32)
    expected = kl_divergence(Normal(torch.from_numpy(mu), torch.from_numpy(np.exp(logvar / 2))), Normal(0.0, 1.0))
    assert kl_by_dimension(mu, logvar) == pytest.approx(expected.numpy(), rel=1e-4)


def test_active_units_are_those_whose_mean_moves(tmp_path: Path) -> None:
    subject = tiny_subject(tmp_path, ())
    flat = IMAGES.copy()
    flat[:, :, 1] = 0.5  # the second latent is the sum of the second row
    split = Split(flat, None, 1.0)
    still = Subject.of(subject.model, DataSet("flat", tiny.IMAGE, (), split, split, split))
    assert measure_bounds(subject, "none", 0).values["active_units"] == 2
    values = measure_bounds(still, "none", 0).values
    assert (values["active_units"], values["latent_dimensions"]) == (1, 2)


def test_binarised_targets_are_zeros_and_ones_that_do_not_depend_on_the_chunk(images: Subject) -> None:
    rounded = Targets(images, "threshold").take(0, 9)
    assert (rounded == (IMAGES >= 0.5)).all()
    drawn = Targets(images, "dynamic").take(0, 9)
    assert set(np.unique(drawn)) == {0, 1}
    assert (Targets(images, "dynamic").take(4, 6) == drawn[4:6]).all()
    assert Targets(images, "dynamic").describe() == "values drawn once as 0 or 1, seed 0"


def test_targets_are_drawn_with_their_value_as_probability(images: Subject) -> None:
    split = Split(np.full((4000, 1, 2, 2), 0.3, np.float32), None, 1.0)
    subject = Subject.of(images.model, DataSet("grey", tiny.IMAGE, (), split, split, split))
    share = Targets(subject, "dynamic").take(0, 4000).mean()
    assert share == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 16_000))


def test_the_encoder_is_given_the_binarised_sample(images: Subject) -> None:
    drawn = Targets(images, "dynamic").take(0, 9).reshape(9, 4)
    expected = np.stack([drawn[:, 0] + drawn[:, 1], drawn[:, 2] + drawn[:, 3]], axis=1)
    assert Targets(images, "dynamic").posterior().mu == pytest.approx(expected)


def test_a_gaussian_likelihood_has_no_binarised_targets(exact: Linear) -> None:
    with pytest.raises(InvalidConfiguration, match="belongs to the Bernoulli likelihood"):
        measure_bounds(Subject.of(exact.model, exact.data), "dynamic", 0)


def test_the_estimate_is_reported_with_its_error_and_its_draws(worse: Linear) -> None:
    subject = Subject.of(worse.model, worse.data)
    measurement = measure_bounds(subject, "none", 40)
    nats = estimate(subject, 40)
    assert measurement.values["nll"] == pytest.approx(nats.mean())
    assert measurement.values["nll_standard_error"] == pytest.approx(nats.std(ddof=1) / math.sqrt(200))
    assert measurement.values["importance_samples"] == 40
    assert measurement.values["nll"] < measurement.values["negative_elbo"]
    assert "40 posterior draws a sample, seed 0" in measurement.protocol


def test_a_long_estimate_tells_how_far_it_is(
    images: Subject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bounds, "DECODED_ROWS", 12)
    with caplog.at_level(logging.INFO):
        estimate(images, 4)
        assert caplog.messages == []
        monkeypatch.setattr(bounds, "PROGRESS_SECONDS", -1.0)
        estimate(images, 4)
    assert caplog.messages[0].startswith("importance sampling: 3 of 9 test samples, nll ")
