"""The evidence lower bound agrees with closed forms, torch.distributions and scipy."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.distributions import Normal, kl_divergence

from tests.helpers import tiny
from tests.helpers.linear import with_trained_prior, write_linear
from tests.helpers.training_evaluation import IMAGES, tiny_subject
from training.data.dataset import DataSet, Split
from training.evaluation.measures.bounds import (
    POSTERIOR_SEED,
    count_active,
    kl_by_dimension,
    log_likelihoods,
    measure_bounds,
)
from training.evaluation.measures.importance import importance_weighted_nll
from training.evaluation.measures.targets import Targets
from training.evaluation.subject import Subject


def test_a_row_is_decoded_under_its_own_label(tmp_path: Path) -> None:
    subject = tiny_subject(tmp_path, ("first", "second"))
    plain = tiny_subject(tmp_path / "plain")
    z = np.full((9, 2), 0.6, np.float32)
    labelled = -log_likelihoods(Targets(subject, "none"), z)
    unlabelled = -log_likelihoods(Targets(plain, "none"), z)
    second = np.arange(9) % 2 == 0  # class 0 of the data is the label "second"
    p, x = 0.6 / 2 + 0.25, IMAGES.reshape(9, 4).astype(np.float64)
    expected = -(x * math.log(p) + (1 - x) * math.log(1 - p)).sum(axis=1)
    assert labelled[second] == pytest.approx(expected[second], rel=1e-5)
    assert labelled[~second] == pytest.approx(unlabelled[~second], rel=1e-6)


def test_a_prior_that_was_trained_with_the_pair_is_part_of_the_bound(tmp_path: Path) -> None:
    mean, deviation = np.array([0.4, -0.3]), np.array([0.8, 1.1])
    trained = with_trained_prior(write_linear(tmp_path, rows=400), mean, deviation)
    measured = measure_bounds(Subject.of(trained.model, trained.data), "none", 0)
    posterior = trained.model.posterior(trained.data.test.in_users_units())
    assert posterior.logvar is not None
    mu, std = torch.from_numpy(posterior.mu).double(), torch.from_numpy(np.exp(posterior.logvar / 2)).double()
    prior = Normal(torch.from_numpy(mean), torch.from_numpy(deviation))
    kl = kl_divergence(Normal(mu, std), prior).sum(dim=1)
    assert measured.values["kl"] == pytest.approx(kl.mean().item(), abs=0.1)  # one draw for each of 400 rows
    assert measured.values["negative_elbo"] == measured.values["reconstruction"] + measured.values["kl"]
    own = Normal(mu.mean(dim=0), (mu.var(dim=0, correction=0) + std.square().mean(dim=0)).sqrt())
    by_unit = kl_divergence(Normal(mu, std), own).mean(dim=0)
    assert measured.values["kl_per_dimension_max"] == pytest.approx(by_unit.max().item(), rel=1e-4)
    assert "the prior is the flow of prior.onnx" in measured.protocol


def test_the_bound_of_a_gaussian_likelihood_has_all_its_constants(tmp_path: Path) -> None:
    exact = write_linear(tmp_path)
    values = measure_bounds(Subject.of(exact.model, exact.data), "none", 0).values
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


def test_the_kl_equals_torchs_for_each_row_and_dimension() -> None:
    random = np.random.default_rng(0)
    mu, logvar = random.standard_normal((2, 6, 3)).astype(np.float32)
    expected = kl_divergence(Normal(torch.from_numpy(mu), torch.from_numpy(np.exp(logvar / 2))), Normal(0.0, 1.0))
    assert kl_by_dimension(mu, logvar) == pytest.approx(expected.numpy(), rel=1e-4)


def test_units_are_active_if_their_mean_varies(tmp_path: Path) -> None:
    subject = tiny_subject(tmp_path)
    samples = IMAGES.copy()
    samples[:, :, 1] = 0.5  # the second latent is the sum of the second row
    split = Split(samples, None, 1.0)
    constant = Subject.of(subject.model, DataSet("flat", tiny.IMAGE, (), split, split, split))
    assert measure_bounds(subject, "none", 0).values["active_units"] == 2
    values = measure_bounds(constant, "none", 0).values
    assert (values["active_units"], values["latent_dimensions"]) == (1, 2)


def test_a_unit_that_carries_little_is_not_active_however_its_mean_varies() -> None:
    """The X-rays' case: the mean of each unit varies by more than 0.01, but its KL term is a tenth of a nat."""
    random = np.random.default_rng(0)
    share = np.array([0.9, 0.18, 0.0])  # of a unit's variance, from the sample
    mu = (np.sqrt(share) * random.standard_normal((4000, 3))).astype(np.float32)
    logvar = np.broadcast_to(np.log(1 - share), mu.shape).astype(np.float32)
    nats = kl_by_dimension(mu, logvar).mean(axis=0)
    assert nats == pytest.approx(-np.log(1 - share) / 2, abs=0.05)
    assert mu.var(axis=0)[1] > 0.1
    assert count_active(mu, nats) == 1


def test_free_bits_do_not_make_a_unit_active() -> None:
    mu = np.ones((50, 2), np.float32)
    mu[:, 1] = np.linspace(-2, 2, 50)
    assert count_active(mu, np.array([0.5, 0.5])) == 1


def test_the_estimate_is_reported_with_its_error_and_its_draws(tmp_path: Path) -> None:
    wrong = write_linear(tmp_path, rows=200, widening=1.6, offset=0.5)
    subject = Subject.of(wrong.model, wrong.data)
    measurement = measure_bounds(subject, "none", 40)
    targets = Targets(subject, "none")
    nats = importance_weighted_nll(targets, targets.posterior(), 40)
    assert measurement.values["nll"] == pytest.approx(nats.mean())
    assert measurement.values["nll_standard_error"] == pytest.approx(nats.std(ddof=1) / math.sqrt(200))
    assert measurement.values["importance_samples"] == 40
    assert measurement.values["nll"] < measurement.values["negative_elbo"]
    assert "40 posterior draws a sample, seed 0" in measurement.protocol
