"""A column that ruins the likelihood of a test part is found, with its cost."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from tests.helpers.linear import write_linear
from tests.helpers.training_evaluation import tiny_subject
from training.evaluation.measures.bounds import POSTERIOR_SEED, measure_bounds
from training.evaluation.measures.columns import find_ruinous_column
from training.evaluation.measures.targets import Targets
from training.evaluation.subject import Subject


def spoiled(folder: Path, columns: tuple[int, ...], distance: float = 300.0) -> Subject:
    """Return a linear model and data in which one test row is far off in some columns, constant in training."""
    linear = write_linear(folder)
    for column in columns:
        linear.data.test.samples[4, column] += distance
    train = linear.data.train.samples.copy()
    train[:-1, list(columns)] = 1.5
    data = replace(linear.data, train=replace(linear.data.train, samples=train))
    return Subject.of(linear.model, data)


def test_the_column_is_measured_and_left_out(tmp_path: Path) -> None:
    subject = spoiled(tmp_path, (2,))
    measurement = measure_bounds(subject, "none", 0)
    values, manifest = measurement.values, subject.manifest
    assert values["ruinous_column"] == 2
    assert values["ruinous_column_constant_share"] == pytest.approx(1 - 1 / 90)
    targets = Targets(subject, "none")
    z = targets.posterior().sample(POSTERIOR_SEED)
    output = subject.decode(z, None)
    assert manifest.preprocessing is not None
    assert manifest.likelihood is not None
    assert manifest.likelihood.kind == "gaussian"
    scale = manifest.preprocessing.scale[2]
    deviation = math.exp(manifest.likelihood.logvar[2] / 2)
    samples = subject.data.test.in_users_units()
    cost = -np.asarray(norm.logpdf((samples[:, 2] - output[:, 2]) / scale, 0, deviation)).mean()
    assert values["ruinous_column_nats"] == pytest.approx(cost, rel=1e-4)
    assert values["negative_elbo_without_column"] == pytest.approx(values["negative_elbo"] - cost, rel=1e-3)
    assert "column 2 costs" in measurement.protocol


def test_a_good_table_has_no_such_column(tmp_path: Path) -> None:
    linear = write_linear(tmp_path)
    values = measure_bounds(Subject.of(linear.model, linear.data), "none", 0).values
    assert not {name for name in values if "column" in name}


def test_a_moderate_outlier_does_not_ruin_the_likelihood(tmp_path: Path) -> None:
    linear = write_linear(tmp_path)
    linear.data.test.samples[4, 2] += 10 * linear.scale[2] * math.sqrt(linear.variance[2])
    targets = Targets(Subject.of(linear.model, linear.data), "none")
    assert find_ruinous_column(targets, targets.posterior().sample(POSTERIOR_SEED)) is None


def test_errors_that_several_columns_share_are_not_those_of_one(tmp_path: Path) -> None:
    """Each column has an outlier of the same size, in deviations, in a row of its own."""
    linear = write_linear(tmp_path)
    for column in range(4):
        linear.data.test.samples[column, column] += 100 * linear.scale[column] * math.sqrt(linear.variance[column])
    targets = Targets(Subject.of(linear.model, linear.data), "none")
    assert find_ruinous_column(targets, targets.posterior().sample(POSTERIOR_SEED)) is None


def test_images_have_no_columns(tmp_path: Path) -> None:
    targets = Targets(tiny_subject(tmp_path), "none")
    assert find_ruinous_column(targets, targets.posterior().sample(POSTERIOR_SEED)) is None
