"""Tiny models and data sets whose measurements can be computed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.manifest import Family
from tests.helpers import tiny
from training.config import EvaluationConfig
from training.data.dataset import DataSet, Split
from training.evaluation.evaluate import evaluate
from training.evaluation.limits import DEFAULT_LIMITS, Limits
from training.evaluation.subject import Subject

OPTIONS = EvaluationConfig(noise_amounts=(0.3,))
IMAGES = np.random.default_rng(5).uniform(0.2, 0.8, (9, 1, 2, 2)).astype(np.float32)
"""Images of 2 x 2 pixels that the tiny decoder does not clip."""


def tiny_model(folder: Path, family: Family = "autoencoder", labels: tuple[str, ...] = ()) -> Autoencoder:
    """Return a model of images of 2 x 2 pixels."""
    return load_version(tiny.write_version(folder, family=family, labels=labels), "tiny", 1)


def tiny_images(classes: tuple[str, ...] = (), rows: int = 40) -> DataSet:
    """Return random images in [0.2, 0.8]: half to train on, half to test. If there are classes, they take turns."""
    samples = np.random.default_rng(5).uniform(0.2, 0.8, (rows, 1, 2, 2)).astype(np.float32)
    labels = np.arange(rows) % len(classes) if classes else None
    whole = Split(samples, labels, 1.0)
    train, validation, test = (whole.take(slice(*span)) for span in ((0, rows // 2), (0, 1), (rows // 2, rows)))
    return DataSet("tiny", tiny.IMAGE, classes, train, validation, test)


def tiny_subject(folder: Path, labels: tuple[str, ...] = (), seed: int = 0, limits: Limits = DEFAULT_LIMITS) -> Subject:
    """
    Return the tiny variational model with IMAGES as every part of its data.

    With labels, the model is conditional; the data's classes are the labels in reverse, and the rows take turns.
    """
    classes = np.arange(len(IMAGES)) % 2 if labels else None
    split = Split(IMAGES, classes, 1.0)
    data = DataSet("tiny", tiny.IMAGE, labels[::-1], split, split, split)
    return Subject.of(tiny_model(folder, "variational-autoencoder", labels), data, seed, limits)


def measured_values(model: Autoencoder, data: DataSet) -> dict[str, float]:
    """Return the values of all measurements, by name."""
    measurements = evaluate(model, data, OPTIONS)
    return {name: value for measurement in measurements for name, value in measurement.values.items()}
