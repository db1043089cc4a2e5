"""The importance-weighted estimate agrees with closed forms and torch.distributions."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal

from tests.helpers.linear import with_trained_prior, write_linear
from tests.helpers.training_evaluation import tiny_subject
from training.config import Binarisation
from training.evaluation.limits import Limits, RowLimit
from training.evaluation.measures.importance import IMPORTANCE_STREAM, importance_weighted_nll
from training.evaluation.measures.targets import Targets
from training.evaluation.subject import Subject


@pytest.fixture
def images(tmp_path: Path) -> Subject:
    """Return the tiny variational model with images that it does not clip."""
    return tiny_subject(tmp_path)


def estimate(subject: Subject, count: int, binarisation: Binarisation = "none") -> np.ndarray:
    """Return the estimate of -log p(x) for each row."""
    targets = Targets(subject, binarisation)
    return importance_weighted_nll(targets, targets.posterior(), count)


@pytest.mark.parametrize("count", [1, 3, 1000])
def test_the_true_posterior_gives_log_p_exactly_with_any_number_of_draws(tmp_path: Path, count: int) -> None:
    exact = write_linear(tmp_path)
    nats = estimate(Subject.of(exact.model, exact.data), count)
    assert nats == pytest.approx(-exact.log_density(), abs=1e-4)


def test_the_estimate_of_a_wrong_posterior_falls_to_the_closed_form(tmp_path: Path) -> None:
    wrong = write_linear(tmp_path, rows=200, widening=1.6, offset=0.5)
    subject = Subject.of(wrong.model, wrong.data)
    means = [estimate(subject, count).mean() for count in (1, 4, 32, 8000)]
    truth = -wrong.log_density().mean()
    assert means[0] > means[1] > means[2] > means[3]
    assert means[0] > truth + 0.2
    assert means[3] == pytest.approx(truth, abs=0.005)


def test_a_prior_that_was_trained_with_the_pair_is_part_of_the_estimate(tmp_path: Path) -> None:
    """The posterior is that of N(0, I), so that many draws are needed."""
    mean, deviation = np.array([0.4, -0.3]), np.array([0.8, 1.1])
    shifted = with_trained_prior(write_linear(tmp_path, rows=100), mean, deviation)
    subject = Subject.of(shifted.model, shifted.data)
    assert estimate(subject, 4000).mean() == pytest.approx(-shifted.log_density().mean(), abs=0.005)


@pytest.mark.parametrize("binarisation", ["none", "dynamic"])
def test_one_draw_gives_the_bound_of_that_draw(images: Subject, binarisation: Binarisation) -> None:
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
def test_the_estimate_does_not_depend_on_the_chunks(images: Subject, rows: int, binarisation: Binarisation) -> None:
    chunked = replace(images, limits=Limits(decoded=RowLimit(rows, 2**20)))
    assert estimate(chunked, 20, binarisation) == pytest.approx(estimate(images, 20, binarisation), rel=1e-6)


def test_another_seed_gives_other_draws(tmp_path: Path, images: Subject) -> None:
    other = tiny_subject(tmp_path / "other", seed=1)
    assert estimate(images, 5) == pytest.approx(estimate(images, 5), rel=1e-9)
    assert (estimate(images, 5) != estimate(other, 5)).all()


def test_a_draw_is_decoded_under_its_rows_label(tmp_path: Path) -> None:
    labelled = estimate(tiny_subject(tmp_path, ("first", "second")), 3)
    plain = estimate(tiny_subject(tmp_path / "plain"), 3)
    second = np.arange(9) % 2 == 0  # class 0 of the data is the label "second"
    assert labelled[~second] == pytest.approx(plain[~second], rel=1e-6)
    assert (np.abs(labelled - plain)[second] > 0.01).all()


def test_a_long_estimate_logs_its_progress(images: Subject, caplog: pytest.LogCaptureFixture) -> None:
    decoded = RowLimit(12, 2**20)
    with caplog.at_level(logging.INFO):
        estimate(replace(images, limits=Limits(decoded=decoded)), 4)
        assert caplog.messages == []
        estimate(replace(images, limits=Limits(decoded=decoded, progress_seconds=-1.0)), 4)
    assert caplog.messages[0].startswith("importance sampling: 3 of 9 test samples, nll ")
