"""The measures of a scorer that labels of anomalies allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.engine.repository import load_version
from tests.helpers import tiny
from tests.helpers.training_evaluation import tiny_images
from training.data.dataset import DataSet, Split
from training.errors import DataError, RunError
from training.evaluation.detectors import DETECTORS
from training.evaluation.measures.anomalies import check_anomalies, find_anomalies, measure_scorer
from training.evaluation.subject import Subject


def labelled(classes: tuple[str, ...] = ("good", "defect")) -> DataSet:
    """Return rows whose scores by the tiny scorer are 0.2, 0.9, 1.8 (all good) and 1.3, 5 (defects)."""
    numbers = np.sqrt(np.array([0.2, 0.9, 1.8, 1.3, 5.0], np.float32) / 4)
    images = tiny_images()
    train = replace(images.train, samples=images.train.samples.reshape(-1, 4))
    test = Split(np.broadcast_to(numbers[:, None], (5, 4)).copy(), np.array([0, 0, 0, 1, 1]), 1.0)
    return replace(images, input=tiny.TABLE, classes=classes, train=train, test=test)


def subject(tmp_path: Path, data: DataSet, *, scorer: bool = True) -> Subject:
    """Return the tiny model with these data."""
    return Subject.of(load_version(tiny.write_version(tmp_path, kind=tiny.TABLE, scorer=scorer), "tiny", 1), data)


def test_the_ranking_and_the_rates_are_those_of_the_labels(tmp_path: Path) -> None:
    measured = measure_scorer(subject(tmp_path, labelled()), None, labelled=True, rivals=False)
    values = measured.values
    assert values["auroc"] == pytest.approx(5 / 6)  # of 6 pairs, one is in the wrong order
    assert values["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert values["false_positive_rate_0.1"] == 0.0
    assert values["detection_rate_0.1"] == 0.5  # 5 has the p-value 0.1
    assert "positive: defect, by its name" in measured.protocol
    assert "knn1_auroc" not in values


def test_other_detectors_stand_beside_the_scorer(tmp_path: Path) -> None:
    blank = lambda task, samples: np.zeros_like(samples)  # noqa: E731
    measured = measure_scorer(subject(tmp_path, labelled()), blank, labelled=True, rivals=True)
    for name in (*DETECTORS, "untrained"):
        assert 0 <= measured.values[f"{name}_auroc"] <= 1
        assert f"{name}_average_precision" in measured.values
    assert measured.values["untrained_auroc"] == pytest.approx(5 / 6)  # the error is the square of the sample


def test_without_labels_all_rows_are_taken_to_be_normal(tmp_path: Path) -> None:
    for data, known in ((labelled(), False), (replace(labelled(), test=labelled().test.take(slice(3))), True)):
        measured = measure_scorer(subject(tmp_path / str(known), data), None, labelled=known, rivals=False)
        assert "if all of them are normal" in measured.protocol


def test_labels_of_several_kinds_do_not_say_what_an_anomaly_is(tmp_path: Path) -> None:
    data = labelled(("x", "y", "z"))
    data = replace(data, test=replace(data.test, labels=np.array([0, 1, 2, 1, 1])))
    own = subject(tmp_path, data)
    assert find_anomalies(own) is None
    with pytest.raises(DataError, match="tiny: --anomalies needs labels of normal and of anomalous rows"):
        check_anomalies(own)


def test_a_version_without_a_scorer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="tiny has no scorer; hourglass-train scorer adds one"):
        check_anomalies(subject(tmp_path, labelled(), scorer=False))
