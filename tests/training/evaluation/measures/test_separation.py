"""Labels are told apart by errors or by latents, and the protocol names the positive class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from app.manifest import Measurement
from tests.helpers.training_evaluation import tiny_images, tiny_model
from training.data.dataset import Split
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.measures.separation import choose_positives, cross_validated, measure_separation
from training.evaluation.subject import Subject


def measured(folder: Path, labels: list[int], classes: tuple[str, ...]) -> tuple[Measurement | None, Split]:
    """Return the measurement of images with these labels, and the images."""
    data = tiny_images(rows=2 * len(labels))
    test = replace(data.test, labels=np.array(labels))
    subject = Subject.of(tiny_model(folder), replace(data, test=test, classes=classes))
    return measure_separation(subject, LinearAutoencoder.fit(data.train.in_users_units(), 2)), test


def test_the_error_of_a_row_is_its_score(tmp_path: Path) -> None:
    labels = [0] * 15 + [1] * 5
    measurement, test = measured(tmp_path, labels, ("common", "rare"))
    assert measurement is not None
    x = test.samples.reshape(-1, 2, 2)
    errors = np.square(x - x.mean(axis=2, keepdims=True)).mean(axis=(1, 2))  # the model averages pairs
    order = np.argsort(-errors)
    hits = np.array(labels)[order]
    precision = np.cumsum(hits) / np.arange(1, 21)
    assert measurement.values["auroc"] == pytest.approx(roc_auc_score(labels, errors))
    assert measurement.values["average_precision"] == pytest.approx((precision * hits).sum() / 5)
    assert measurement.values["positive_share"] == 0.25
    assert "positive: rare, the rarer class" in measurement.protocol
    assert {"pca_auroc", "pca_average_precision"} <= measurement.values.keys()
    assert "balanced_probe_accuracy" not in measurement.values


@pytest.mark.parametrize(
    ("classes", "counts", "positive", "reason"),
    [
        (("a", "b"), (9, 3), ("b",), "the rarer class"),
        (("a", "b"), (3, 9), ("a",), "the rarer class"),
        (("a", "b"), (5, 5), ("b",), "the second of two classes of the same size"),
        (("Malignant", "other"), (9, 3), ("Malignant",), "by its name"),
        (("Normal", "odd"), (3, 9), ("odd",), "since the other class is called Normal"),
        (("benign", "malignant"), (3, 9), ("malignant",), "by its name"),
        (("crack", "good", "hole"), (2, 5, 3), ("crack", "hole"), "since the other class is called good"),
    ],
)
def test_the_positive_class_is_chosen_by_name_or_rarity(
    classes: tuple[str, ...], counts: tuple[int, ...], positive: tuple[str, ...], reason: str
) -> None:
    positives = choose_positives(np.repeat(np.arange(len(classes)), counts), classes)
    assert positives is not None
    assert tuple(classes[number] for number in positives.numbers) == positive
    assert reason in positives.reason


def test_several_classes_without_a_normal_one_have_no_positive() -> None:
    assert choose_positives(np.array([0, 1, 2]), ("cat", "dog", "horse")) is None
    assert choose_positives(np.array([0, 1, 2]), ("good", "normal", "horse")) is None


def test_several_classes_are_told_apart_by_the_latents(tmp_path: Path) -> None:
    measurement, test = measured(tmp_path, [0] * 120, ("cat", "dog", "horse"))
    assert measurement is None  # one class only
    sums = test.samples.reshape(-1, 4)[:, :2].sum(axis=1)  # the first latent
    labels = np.digitize(sums, np.quantile(sums, [0.3, 0.6])).tolist()
    measurement, _ = measured(tmp_path / "b", labels, ("cat", "dog", "horse"))
    assert measurement is not None
    assert measurement.values["balanced_probe_accuracy"] > 0.8
    assert measurement.values["balanced_knn_accuracy"] > 0.6
    assert "auroc" not in measurement.values
    assert "by chance 0.33" in measurement.protocol


def test_a_class_of_one_row_is_left_out_of_the_cross_validation(tmp_path: Path) -> None:
    measurement, _ = measured(tmp_path, [0, 1] * 10 + [2], ("cat", "dog", "unicorn"))
    assert measurement is not None
    assert "on 20 rows of 2 classes" in measurement.protocol


def test_an_answer_is_right_as_often_in_each_class() -> None:
    """A constant answer is right for 90 of 100 rows, but balanced for one class of two."""
    labels = np.repeat([0, 1], [90, 10])
    latents = np.zeros((100, 1), np.float32)
    assert cross_validated(KNeighborsClassifier(5), latents, labels, 0) == pytest.approx(0.5)


def test_unlabelled_rows_are_not_measured(tmp_path: Path) -> None:
    data = tiny_images()
    subject = Subject.of(tiny_model(tmp_path), data)
    assert measure_separation(subject, LinearAutoencoder.fit(data.train.in_users_units(), 2)) is None
