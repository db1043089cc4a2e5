"""A scorer is fitted to two parts of the data and calibrated on a third, which the trainer refuses to mix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers import tiny
from tests.helpers.linear import write_linear
from tests.helpers.scorers import calibrated_images, fitted
from training.config import ScorerConfig
from training.data.dataset import DataSet, Split
from training.errors import DataError
from training.evaluation.false_alarms import false_alarm_band
from training.evaluation.subject import Subject
from training.priors.codes import Codes
from training.scorers.features import features_of, scored_arrays
from training.scorers.fit import fit_bank, fit_density, fit_scorer, fitted_rows


def test_false_alarms_are_as_frequent_as_alpha(tmp_path: Path) -> None:
    linear = write_linear(tmp_path, rows=2_000)
    rows = linear.data.train  # 6 000 of one distribution
    data = replace(
        linear.data, train=rows.take(slice(800)), validation=rows.take(slice(800, 1_000)),
        calibration=rows.take(slice(1_000, 2_000)),
    )  # fmt: skip
    subject = Subject.of(linear.model, data)
    graph = fit_scorer(subject, data, ScorerConfig(), seed=0)
    others = rows.take(slice(2_000, 6_000)).in_users_units()
    p_values = graph(*map(torch.from_numpy, scored_arrays(linear.model, others)))[1].numpy()
    for alpha in (0.1, 0.05, 0.01):
        low, high = false_alarm_band(alpha, 1_000, 4_000, level=0.999)
        assert low <= (p_values <= alpha).mean() <= high


@pytest.mark.parametrize("counts_errors", [True, False])
def test_errors_of_rows_that_the_network_was_fitted_to_do_not_count(tmp_path: Path, counts_errors: bool) -> None:
    linear = write_linear(tmp_path, rows=100)
    rows = linear.data.train
    data = replace(linear.data, calibration=rows.take(slice(50)), train=rows.take(slice(50, 300)))
    subject = Subject.of(linear.model, data)
    graph = fit_scorer(subject, data, ScorerConfig(), seed=0, counts_errors=counts_errors)
    assert ("reconstruction" in graph.parts, "evidence" in graph.parts) == (counts_errors, counts_errors)
    assert sum(graph.shares) == pytest.approx(1)
    features = features_of(subject, data.test)
    worse = features._replace(reconstructions=features.reconstructions + 100)
    is_same = torch.equal(graph.score(graph.values(worse)), graph.score(graph.values(features)))
    assert is_same is not counts_errors
    assert len(graph.values(features)) == len(graph.tails) == len(graph.shares)


@pytest.mark.parametrize(
    ("part", "role"), [("train", "training rows"), ("validation", "validation rows"), ("test", "test rows")]
)
def test_calibration_rows_of_another_part_are_refused(tmp_path: Path, part: str, role: str) -> None:
    data = calibrated_images()
    mixed = replace(data, calibration=getattr(data, part).take(slice(25)))
    with pytest.raises(DataError, match=f"tiny: 25 of 25 calibration rows are also {role}"):
        fitted(tiny.write_version(tmp_path), mixed)


def test_a_part_without_rows_is_refused(tmp_path: Path) -> None:
    data = calibrated_images()
    for lacking in (replace(data, calibration=None), replace(data, validation=data.validation.take(slice(0)))):
        with pytest.raises(DataError, match="a scorer needs a training, a validation and a calibration part"):
            fitted(tiny.write_version(tmp_path, version=len(list(tmp_path.glob("tiny/*"))) + 1), lacking)


def test_neither_the_calibration_nor_the_test_part_changes_the_score(tmp_path: Path) -> None:
    data, folder = calibrated_images(), tiny.write_version(tmp_path)
    assert data.calibration is not None
    other = replace(data, calibration=data.test, test=data.calibration)
    (first, subject), (second, _) = fitted(folder, data), fitted(folder, other)
    features = features_of(subject, data.test)
    assert torch.equal(first.score(first.values(features)), second.score(second.values(features)))


def test_the_bank_has_rows_of_both_parts_and_no_more_than_the_options_allow(tmp_path: Path) -> None:
    data = calibrated_images()
    _, subject = fitted(tiny.write_version(tmp_path), data)
    train, held_out = (features_of(subject, part) for part in fitted_rows(subject, data, 0))
    assert len(fit_bank(train, held_out, ScorerConfig(), 0).bank) == 150
    assert len(fit_bank(train, held_out, ScorerConfig(bank_rows=20), 0).bank) == 20


def test_a_large_bank_is_stored_in_half_precision(tmp_path: Path) -> None:
    rows = Split(np.random.default_rng(0).normal(size=(5_000, 200)).astype(np.float32), None, 1.0)
    linear = write_linear(tmp_path, features=200)
    data = DataSet("rows", linear.data.input, (), rows, rows.take(slice(9)), rows)
    train, held_out = (features_of(Subject.of(linear.model, data), part) for part in (data.train, data.validation))
    bank = fit_bank(train, held_out, ScorerConfig(), 0).bank
    assert torch.equal(bank, bank.half().float())


def test_few_rows_are_each_measured_by_a_density_that_has_not_seen_them(tmp_path: Path) -> None:
    data = calibrated_images()
    _, subject = fitted(tiny.write_version(tmp_path), data)
    train, held_out = (features_of(subject, part) for part in fitted_rows(subject, data, 0))
    mixture, surprises = fit_density(train, held_out, seed=0)
    assert len(surprises) == 150
    rows = np.concatenate([part.coordinates.double().numpy() for part in (train, held_out)])
    assert surprises.mean() > -mixture.log_likelihoods(Codes(rows)).mean()


def test_many_rows_are_measured_by_the_validation_part(tmp_path: Path) -> None:
    linear = write_linear(tmp_path, rows=800)
    subject = Subject.of(linear.model, linear.data)
    train, held_out = (features_of(subject, part) for part in (linear.data.train, linear.data.validation))
    assert len(fit_density(train, held_out, seed=0)[1]) == len(linear.data.validation)
