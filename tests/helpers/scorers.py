"""Data in four parts for tests of scorers, and versions of the tiny model that they fit."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from app.engine.autoencoder import Autoencoder
from app.manifest import Manifest
from tests.helpers.training_evaluation import tiny_images
from training.config import ScorerConfig
from training.data.dataset import DataSet
from training.evaluation.subject import Subject
from training.scorers.fit import fit_scorer
from training.scorers.graph import ScorerGraph

ROWS = 120, 30, 39, 60
"""The rows of the training, the validation, the calibration and the test part."""


def calibrated_images() -> DataSet:
    """Return random images of 2 x 2 pixels in four parts."""
    data = tiny_images(rows=2 * sum(ROWS))
    ends = np.cumsum((0, *ROWS))
    train, validation, calibration, test = (data.train.take(slice(*span)) for span in pairwise(ends))
    return replace(data, train=train, validation=validation, calibration=calibration, test=test)


def fitted(folder: Path, data: DataSet) -> tuple[ScorerGraph, Subject]:
    """Fit a scorer to the version in a folder."""
    subject = Subject.of(Autoencoder.open(folder, Manifest.read(folder)), data)
    return fit_scorer(subject, data, ScorerConfig(), seed=0), subject
