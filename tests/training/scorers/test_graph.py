"""The score is the weighted mean of surprises, and its p-value the rank among the calibration rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers import tiny
from tests.helpers.linear import Linear, with_trained_prior, write_linear
from tests.helpers.scorers import calibrated_images, fitted
from training.config import ScorerConfig
from training.data.dataset import DataSet, Split
from training.evaluation.subject import Subject
from training.scorers.features import features_of
from training.scorers.fit import fit_scorer
from training.scorers.graph import EVIDENCE_SHARE, LARGE_WEIGHTS, ROUNDING, WEIGHTS
from training.scorers.parts import FlowSurprise


def test_the_numbers_agree_with_numpy(tmp_path: Path) -> None:
    data = calibrated_images()
    graph, subject = fitted(tiny.write_version(tmp_path), data)
    features = features_of(subject, data.test)
    samples = data.test.in_users_units()
    latents = subject.encode(data.test)
    with torch.no_grad():
        score, p_value, attribution = (
            output.numpy()
            for output in graph(*map(torch.from_numpy, (samples, latents, subject.model.decode(latents))))
        )
        values = [value.double().numpy() for value in graph.values(features)]
    weights = WEIGHTS["reconstruction"], WEIGHTS["neighbours"] / 2, WEIGHTS["neighbours"] / 2, WEIGHTS["sample-density"]
    expected = np.zeros(len(samples))
    for weight, tail, value in zip(weights, graph.tails, values, strict=True):
        knots, surprises, slopes = (getattr(tail, name).double().numpy() for name in ("knots", "surprises", "slopes"))
        inside = np.interp(value, knots, surprises)
        expected += weight / sum(weights) * (inside + slopes[-1] * np.maximum(value - knots[-1], 0))
    np.testing.assert_allclose(score, expected, rtol=1e-3, atol=1e-3)
    calibration = graph.calibration.numpy()
    threshold = score - ROUNDING * np.maximum(np.abs(score), 1)
    ranks = [(1 + np.count_nonzero(calibration >= own)) / (1 + len(calibration)) for own in threshold]
    np.testing.assert_allclose(p_value, ranks, atol=1e-6)
    errors = np.square(samples - subject.reconstruct_split(data.test)) / graph.reconstruction.expected.numpy()
    np.testing.assert_allclose(attribution, errors, rtol=1e-4)


def test_the_calibration_rows_have_all_p_values_once(tmp_path: Path) -> None:
    data = calibrated_images()
    graph, subject = fitted(tiny.write_version(tmp_path), data)
    assert data.calibration is not None
    samples, latents = data.calibration.in_users_units(), subject.encode(data.calibration)
    p_values = graph(*map(torch.from_numpy, (samples, latents, subject.model.decode(latents))))[1]
    expected = np.arange(2, 41) / 40  # a calibration row counts as one that is as strange as itself
    np.testing.assert_allclose(np.sort(p_values.numpy()), expected, atol=1e-6)


def test_a_strange_sample_has_the_smallest_p_value_and_stranger_ones_a_larger_score(tmp_path: Path) -> None:
    data = calibrated_images()
    graph, subject = fitted(tiny.write_version(tmp_path), data)
    strange = Split(np.array([[[[0, 1], [1, 0]]], [[[-9, 9], [9, -9]]]], np.float32), None, 1.0).samples
    latents = np.zeros((2, 2), np.float32)
    score, p_value, attribution = graph(*map(torch.from_numpy, (strange, latents, np.zeros_like(strange))))
    assert p_value.tolist() == [torch.tensor(1 / 40).item()] * 2
    assert score[1] > score[0] > graph.calibration.max()
    assert (attribution >= 0).all()
    assert subject.manifest.input_shape == tuple(attribution.shape[1:])


def test_the_weights_name_the_parts() -> None:
    assert list(WEIGHTS) == ["reconstruction", "neighbours", "sample-density"]
    assert list(LARGE_WEIGHTS) == ["reconstruction", "neighbours", "latent-density"]


def split(linear: Linear) -> DataSet:
    """Return the model's data in four parts."""
    parts = [linear.data.train.take(slice(*span)) for span in ((0, 50), (50, 250), (250, 300))]
    return replace(linear.data, calibration=parts[0], train=parts[1], validation=parts[2])


def test_the_score_of_a_variational_model_has_its_evidence(tmp_path: Path) -> None:
    linear = write_linear(tmp_path, rows=100)
    data, subject = split(linear), Subject.of(linear.model, linear.data)
    graph = fit_scorer(subject, data, ScorerConfig(), seed=0)
    assert graph.parts == ("reconstruction", "neighbours", "sample-density", "evidence")
    rows = features_of(subject, data.test)
    values = graph.values(rows)
    assert graph.evidence is not None
    assert torch.equal(values[-1], graph.evidence(rows))
    assert len(graph.shares) == len(graph.tails) == len(values) == 5
    assert sum(graph.shares) == pytest.approx(1)
    assert graph.shares[-1] == pytest.approx(EVIDENCE_SHARE * graph.shares[0])


def test_a_model_of_unknown_likelihood_has_no_evidence(tmp_path: Path) -> None:
    graph, _ = fitted(tiny.write_version(tmp_path, family="variational-autoencoder"), calibrated_images())
    assert graph.evidence is None
    assert "evidence" not in graph.parts


def test_a_trained_prior_is_the_density_of_large_samples(tmp_path: Path) -> None:
    exact = with_trained_prior(write_linear(tmp_path, rows=100, features=300), np.zeros(2), np.ones(2))
    subject = Subject.of(exact.model, exact.data)
    data = replace(
        exact.data, calibration=exact.data.train.take(slice(50)), train=exact.data.train.take(slice(50, 250))
    )
    graph = fit_scorer(
        subject, replace(data, validation=exact.data.train.take(slice(250, 300))), ScorerConfig(), seed=0
    )
    assert isinstance(graph.density, FlowSurprise)
    assert graph.parts == ("reconstruction", "neighbours", "latent-density", "evidence")
    calls: list[object] = []
    graph.density.register_forward_hook(lambda *call: calls.append(call))
    rows = features_of(subject, data.test)
    values = graph.values(rows)
    assert len(calls) == 1, "the evidence has the density that is known"
    assert graph.evidence is not None
    torch.testing.assert_close(values[-1], graph.evidence(rows))
