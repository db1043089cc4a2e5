"""Scores of how a model tells labels apart: by its errors, for two classes, and by its latents, for several."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from app.arrays import Labels, Latents, Samples
from app.manifest import Measurement
from training.data.dataset import Split
from training.evaluation.baselines import NEIGHBOURS, LinearAutoencoder
from training.evaluation.metrics import Doubles, squared_errors
from training.evaluation.subject import Subject, choose_rows
from training.evaluation.units import to_x

ANOMALOUS_NAMES = re.compile(
    "abnormal|anomal(y|ous)|attack|bad|broken|cancer|damaged?|defect(ive)?|disease|error|fail(ed|ure)?|fault(y)?|fraud"
    "|malicious|malignant|outlier|sick|spam",
    re.IGNORECASE,
)
"""Names of classes that are anomalies, however many rows they have."""
NORMAL_NAMES = re.compile(
    "benign|fine|good|ham|healthy|inlier|intact|legitimate|normal|ok|pass(ed)?|regular", re.IGNORECASE
)
"""Names of classes beside which every other class is an anomaly."""
MAX_FOLDS = 5


@dataclass(frozen=True)
class Positives:
    """The classes that a high score should mean, and the reason for the choice."""

    numbers: tuple[int, ...]
    reason: str


def measure_separation(subject: Subject, pca: LinearAutoencoder) -> Measurement | None:
    """
    Return how well the labels of the test part are told apart, beside PCA; None if there are not two of them.

    Of two classes, or of one that is called normal and others: AUROC and average precision of the reconstruction error.
    Of several: balanced accuracy of a linear probe and of nearest neighbours on the latents, cross-validated.
    """
    labels, classes = subject.data.test.labels, subject.data.classes
    present = [] if labels is None else np.unique(labels).tolist()
    if labels is None or len(present) < 2:
        return None
    values: dict[str, float] = {}
    notes: list[str] = []
    positives = choose_positives(labels, classes)
    if positives:
        values, notes = _measure_scores(subject, pca, labels, positives)
    if len(present) > 2:
        accuracies, note = _measure_accuracies(subject, pca)
        values |= accuracies
        notes.append(note)
    return Measurement(data_set=subject.description, protocol="; ".join(notes), values=values)


def choose_positives(labels: Labels, classes: tuple[str, ...]) -> Positives | None:
    """Return the positive classes: by their names, or the rarer one of two; None if neither decides."""
    numbers, counts = np.unique(labels, return_counts=True)
    names = {int(number): classes[number] for number in numbers}
    anomalous = tuple(number for number, name in names.items() if ANOMALOUS_NAMES.fullmatch(name))
    others = tuple(number for number, name in names.items() if not NORMAL_NAMES.fullmatch(name))
    if len(anomalous) == 1 and len(names) == 2:
        return Positives(anomalous, f"positive: {classes[anomalous[0]]}, by its name")
    if len(others) == len(names) - 1:
        (normal,) = names.keys() - set(others)
        listed = ", ".join(classes[number] for number in others[:10])
        return Positives(others, f"positive: {listed}, since the other class is called {names[normal]}")
    if len(names) > 2:
        return None
    rarer = int(numbers[counts.argmin()]) if counts[0] != counts[1] else int(numbers[1])
    reason = "the rarer class" if counts[0] != counts[1] else "the second of two classes of the same size"
    return Positives((rarer,), f"positive: {classes[rarer]}, {reason}")


def _measure_scores(
    subject: Subject, pca: LinearAutoencoder, labels: Labels, positives: Positives
) -> tuple[dict[str, float], list[str]]:
    is_positive = np.isin(labels, positives.numbers)
    values = {}
    for prefix, scores in zip(("", "pca_"), _errors(subject, pca), strict=True):
        values[f"{prefix}auroc"] = float(roc_auc_score(is_positive, scores))
        values[f"{prefix}average_precision"] = float(average_precision_score(is_positive, scores))
    values["positive_share"] = float(is_positive.mean())
    return values, [
        f"AUROC and average precision of the reconstruction error as a score, {positives.reason}; by chance the first "
        "is 0.5 and the second positive_share"
    ]


def _errors(subject: Subject, pca: LinearAutoencoder) -> tuple[Doubles, Doubles]:
    """Return the squared errors of the model and of PCA for each test row."""
    ours, linear = [], []
    for part in subject.chunks(subject.data.test):
        samples = part.in_users_units()
        target = to_x(samples, subject.manifest)
        output = to_x(subject.reconstruct(samples, part.labels), subject.manifest, clipped=False)
        ours.append(squared_errors(output, target))
        linear.append(squared_errors(pca.reconstruct(target), target))
    return np.concatenate(ours), np.concatenate(linear)


def _measure_accuracies(subject: Subject, pca: LinearAutoencoder) -> tuple[dict[str, float], str]:
    rows = choose_rows(
        _without_single_rows(subject.data.test), subject.row_count(subject.limits.baseline), subject.seed
    )
    assert rows.labels is not None

    def linear(samples: Samples) -> Latents:
        return pca.encode(to_x(samples, subject.manifest))

    values = {}
    for prefix, latents in (("", subject.encode(rows)), ("pca_", subject.map_chunks(linear, rows))):
        values[f"{prefix}balanced_probe_accuracy"] = cross_validated(_probe(), latents, rows.labels, subject.seed)
        values[f"{prefix}balanced_knn_accuracy"] = cross_validated(_neighbours(), latents, rows.labels, subject.seed)
    classes = len(np.unique(rows.labels))
    note = (
        f"balanced accuracy (by chance {1 / classes:.2g}) of a linear probe and of {NEIGHBOURS} nearest neighbours on "
        f"the latents, cross-validated on {len(rows)} rows of {classes} classes; classes of one row are left out"
    )
    return values, note


def cross_validated(classifier: Any, latents: Latents, labels: Labels, seed: int) -> float:
    """Return the mean share of right answers of a class, each for rows that the classifier was not fitted on."""
    folds = min(MAX_FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        answers = cross_val_predict(classifier, latents, labels, cv=split)
    return float(balanced_accuracy_score(labels, answers))


def _probe() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, class_weight="balanced"))


def _neighbours() -> Any:
    return make_pipeline(StandardScaler(), KNeighborsClassifier(NEIGHBOURS))


def _without_single_rows(split: Split) -> Split:
    assert split.labels is not None
    counts = np.bincount(split.labels)
    keep: npt.NDArray[np.bool_] = counts[split.labels] > 1
    return split if keep.all() else split.take(np.flatnonzero(keep))
