"""A flow is trained on the training part, and chosen by the validation part."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from tests.helpers.mixtures import clusters
from training.priors.codes import Codes
from training.priors.flows import fit
from training.priors.flows.fit import FlowKind, fit_flow, flow_steps, learning_rate
from training.priors.mixture import REGULARISATION

CLUSTERS = Codes(clusters(400)), Codes(clusters(200, seed=1))


@pytest.mark.parametrize("kind", ["realnvp", "flow-matching"])
def test_two_clusters_are_likelier_than_under_one_gaussian(kind: FlowKind) -> None:
    train, held_out = CLUSTERS
    flow = fit_flow(kind, train, held_out, seed=0, steps=150)
    single = multivariate_normal(train.latents.mean(axis=0), np.cov(train.latents.T)).logpdf(held_out.latents)
    assert flow.log_likelihoods(held_out).mean() > single.mean() + 0.3
    with torch.no_grad():
        draws = flow.network(torch.from_numpy(np.random.default_rng(0).standard_normal((2000, 2), dtype=np.float32)))
    codes = draws.numpy() * flow.scale.deviation + flow.scale.shift
    assert (codes[:, 1] < 10).mean() == pytest.approx(1 / 3, abs=0.08)


def test_clusters_are_likelier_over_several_gaussians() -> None:
    train, held_out = CLUSTERS
    single, several = (fit_flow("realnvp", train, held_out, 0, steps=100, components=count) for count in (1, 2))
    assert several.log_likelihoods(held_out).mean() > single.log_likelihoods(held_out).mean()
    assert several.network.noise_dim == 3


@pytest.mark.parametrize("kind", ["realnvp", "flow-matching"])
def test_the_same_seed_gives_the_same_flow(kind: FlowKind) -> None:
    first, second, other = (
        fit_flow(kind, *CLUSTERS, seed=seed, steps=20).log_likelihoods(CLUSTERS[1]) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_the_random_numbers_of_others_are_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    fit_flow("realnvp", *CLUSTERS, seed=0, steps=2)
    assert torch.equal(torch.rand(1), expected)


def test_the_held_out_codes_choose_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network learns the noise of 40 codes by heart: the last weights would be worse."""
    monkeypatch.setattr(fit, "MAX_GRADIENT_NORM", 1e9)
    random = np.random.default_rng(0)
    train, held_out = Codes(random.standard_normal((40, 4))), Codes(random.standard_normal((500, 4)))
    chosen = fit_flow("realnvp", train, held_out, seed=0, steps=240)
    monkeypatch.setattr(fit, "CHECKS", 1)
    last = fit_flow("realnvp", train, held_out, seed=0, steps=240)
    assert chosen.log_likelihoods(held_out).mean() > last.log_likelihoods(held_out).mean() + 1


def test_a_constant_latent_has_no_infinite_density() -> None:
    constant = [Codes(np.concatenate([codes.latents, np.full((len(codes), 1), 5.0)], axis=1)) for codes in CLUSTERS]
    flow = fit_flow("realnvp", constant[0], constant[1], seed=0, steps=100)
    assert flow.scale.deviation[2] == 0
    highest = 0.5 * np.log(1 / (2 * np.pi * REGULARISATION))  # of a normal number with that variance
    plain = fit_flow("realnvp", *CLUSTERS, seed=0, steps=100).log_likelihoods(CLUSTERS[1]).mean()
    assert flow.log_likelihoods(constant[1]).mean() == pytest.approx(plain + highest, abs=0.5)


def test_the_learning_rate_rises_and_then_falls_to_nearly_nothing() -> None:
    rates = [learning_rate(step, 100) / fit.LEARNING_RATE for step in (1, 5, 11, 51, 100)]
    assert rates == pytest.approx([0.1, 0.5, 0.976, 0.5, 0.0002], abs=0.005)
    assert learning_rate(1, 1) == fit.LEARNING_RATE


@pytest.mark.parametrize(("rows", "steps"), [(100, 1500), (20_000, 2109), (57_000, 6000), (10**6, 6000)])
def test_the_steps_grow_with_the_rows_up_to_a_bound(rows: int, steps: int) -> None:
    assert flow_steps(rows) == steps
