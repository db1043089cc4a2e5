"""Features are in the network's units and never clipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from app.manifest import Manifest, Preprocessing
from tests.helpers import tiny
from tests.helpers.linear import write_linear
from tests.helpers.scorers import calibrated_images, fitted
from training.evaluation.subject import Subject
from training.scorers.features import FeatureGraph, features_of, unclipped

RECORD = Preprocessing(
    log1p=(True, False, False, False), low=(None, 0.0, None, None), high=(None, 1.0, None, None),
    shift=(0.0, 0.0, 1.0, 0.0), scale=(1.0, 1.0, 2.0, 1.0),
)  # fmt: skip


def manifest(tmp_path: Path) -> Manifest:
    """Return the manifest of a table with preprocessing."""
    return Manifest.read(tiny.write_version(tmp_path, kind=tiny.TABLE)).model_copy(update={"preprocessing": RECORD})


def test_values_beyond_the_quantiles_stay_far_away(tmp_path: Path) -> None:
    samples = torch.tensor([[np.e - 1, 50.0, 5.0, -7.0]])
    features = FeatureGraph(manifest(tmp_path))(samples, samples, samples)
    torch.testing.assert_close(features.x, torch.tensor([[1.0, 50.0, 2.0, -7.0]]))
    assert unclipped(RECORD).high == (None,) * 4


def test_the_logarithm_of_a_negative_number_is_finite(tmp_path: Path) -> None:
    samples = torch.full((1, 4), -3.0)
    assert FeatureGraph(manifest(tmp_path))(samples, samples, samples).x.isfinite().all()


def test_the_rows_of_all_chunks_are_those_of_the_pair(tmp_path: Path) -> None:
    data = calibrated_images()
    _, subject = fitted(tiny.write_version(tmp_path), data)
    features = features_of(subject, data.test)
    assert (features.x.shape, features.latents.shape) == ((60, 1, 2, 2), (60, 2))
    np.testing.assert_array_equal(features.latents.numpy(), subject.encode(data.test))
    np.testing.assert_array_equal(features.reconstructions.numpy(), subject.reconstruct_split(data.test))


def test_small_samples_are_compared_themselves_and_large_ones_by_their_latents(tmp_path: Path) -> None:
    for features, small in ((4, True), (300, False)):
        folder = tmp_path / str(features)
        folder.mkdir()
        linear = write_linear(folder, features=features)
        rows = features_of(Subject.of(linear.model, linear.data), linear.data.test)
        assert rows.has_small_samples == small
        assert rows.coordinates.shape == (30, 4 if small else 2)
