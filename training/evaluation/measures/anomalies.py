"""Measures of how a scorer tells anomalies from normal rows, beside other detectors; by labels that it never saw."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from app.inputs import ImageInput
from app.manifest import Measurement
from training.data.dataset import Split
from training.errors import DataError, RunError
from training.evaluation.detectors import DETECTORS, detector_scores
from training.evaluation.false_alarms import ALPHAS, SLACK, false_alarm_values, measure_false_alarms, score_split
from training.evaluation.limits import RowLimit
from training.evaluation.measures.separation import Positives, choose_positives
from training.evaluation.metrics import Doubles, squared_errors
from training.evaluation.subject import Subject, Untrained
from training.evaluation.units import to_x

RIVAL_ROWS = RowLimit(10_000, 2**25)
"""Training rows that the other detectors are fitted to; of more, a seeded choice."""


def check_anomalies(subject: Subject) -> None:
    """Raise RunError if the version has no scorer, and DataError if no labels say which test rows are anomalies."""
    if not subject.manifest.has_scorer:
        raise RunError(f"{subject.manifest.name} has no scorer; hourglass-train scorer adds one")
    if find_anomalies(subject) is None:
        raise DataError(
            f"{subject.data.name}: --anomalies needs labels of normal and of anomalous rows: --label names a column of "
            "two values, or of which one is called normal"
        )


def find_anomalies(subject: Subject) -> Positives | None:
    """Return the classes of the test part that are anomalies; None if its labels do not say."""
    labels = subject.data.test.labels
    return None if labels is None or len(np.unique(labels)) < 2 else choose_positives(labels, subject.data.classes)


def measure_scorer(subject: Subject, untrained: Untrained | None, *, labelled: bool, rivals: bool) -> Measurement:
    """
    Return how well the scorer finds the anomalies of the test part, and the false-positive rates of the other rows.

    `rivals` adds other detectors, which are fitted to the training part. Without labels, or if they do not say which
    rows are anomalies, only the false-positive rates are measured.
    """
    positives = find_anomalies(subject) if labelled else None
    if positives is None:
        return measure_false_alarms(subject)
    assert subject.manifest.scorer
    assert subject.data.test.labels is not None
    is_anomaly = np.isin(subject.data.test.labels, positives.numbers)
    scores, p_values = score_split(subject, subject.data.test)
    calibration_rows = subject.manifest.scorer.calibration_rows
    values = dict(_ranking("", is_anomaly, scores.astype(np.float64)))
    values |= false_alarm_values(p_values[~is_anomaly], calibration_rows)
    values |= {f"detection_rate_{alpha:g}": float((p_values[is_anomaly] <= alpha + SLACK).mean()) for alpha in ALPHAS}
    notes = [
        f"AUROC and average precision of the scorer, {positives.reason}; shares of the other rows (false positives) "
        f"and of the anomalies (detection) with a p-value of at most alpha; calibrated on {calibration_rows} rows"
    ]
    if rivals and subject.has_training_rows:
        for name, other in _rival_scores(subject, untrained):
            values |= dict(_ranking(f"{name}_", is_anomaly, other))
        numbers = "pixels" if isinstance(subject.manifest.input, ImageInput) else "standardised numbers"
        notes.append(f"beside {', '.join(DETECTORS.values())}, each on {numbers}")
    return Measurement(data_set=subject.description, protocol="; ".join(notes), values=values)


def _ranking(
    prefix: str, is_anomaly: np.ndarray[tuple[int], np.dtype[np.bool_]], scores: Doubles
) -> Iterator[tuple[str, float]]:
    yield f"{prefix}auroc", float(roc_auc_score(is_anomaly, scores))
    yield f"{prefix}average_precision", float(average_precision_score(is_anomaly, scores))


def _rival_scores(subject: Subject, untrained: Untrained | None) -> Iterator[tuple[str, Doubles]]:
    train, test = subject.training_rows(RIVAL_ROWS), subject.data.test
    rows, others = (flat(subject, part) for part in (train, test))
    share_unit = isinstance(subject.manifest.input, ImageInput)
    yield from detector_scores(rows, others, share_unit=share_unit).items()
    if untrained:
        errors = []
        for part in subject.chunks(test):
            samples = part.in_users_units()
            output = to_x(untrained("reconstruct", samples), subject.manifest, clipped=False)
            errors.append(squared_errors(output, to_x(samples, subject.manifest)))
        yield "untrained", np.concatenate(errors)


def flat(subject: Subject, split: Split) -> Doubles:
    """Return rows in the network's units, one number per column."""
    return subject.x(split).reshape(len(split), -1).astype(np.float64)
