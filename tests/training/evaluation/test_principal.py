"""PCA is that of the training rows, that of the version, or that of the other half of the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from tests.helpers.training_evaluation import tiny_images, tiny_model
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.metrics import mse
from training.evaluation.principal import (
    MAX_STORED_NUMBERS,
    PCA_FILE,
    CrossFitted,
    in_second_half,
    principal_components,
    save_principal_components,
    stored_principal_components,
)
from training.evaluation.subject import Subject


def subject_without_training(folder: Path, rows: int) -> Subject:
    """Return the tiny model and images without a training part."""
    data = tiny_images(rows=2 * rows)
    return Subject.of(tiny_model(folder), replace(data, train=data.train.take(slice(0)), is_whole=True))


def test_training_rows_are_preferred(tmp_path: Path) -> None:
    pca = principal_components(Subject.of(tiny_model(tmp_path), tiny_images()))
    assert pca.description == "fitted on 20 training rows"
    assert not isinstance(pca, CrossFitted)


def test_each_half_is_measured_by_the_pca_of_the_other(tmp_path: Path) -> None:
    subject = subject_without_training(tmp_path, 30)
    pca, x = principal_components(subject), subject.data.test.in_users_units()
    second = in_second_half(x)
    assert 0 < second.sum() < 30
    expected = np.empty((30, 4))
    for half in (second, ~second):
        fitted = PCA(2).fit(x[~half].reshape(-1, 4))
        expected[half] = fitted.inverse_transform(fitted.transform(x[half].reshape(-1, 4)))
    np.testing.assert_allclose(pca.reconstruct(x).reshape(30, 4), expected, atol=1e-5)
    assert f"of the other half of these rows ({30 - second.sum()} and {second.sum()})" in pca.description
    assert mse(pca.reconstruct(x), x) > mse(LinearAutoencoder.fit(x, 2).reconstruct(x), x)


def test_equal_rows_are_in_the_same_half_in_any_chunk() -> None:
    rows = np.random.default_rng(0).random((50, 3)).astype(np.float32)
    rows[10:20] = rows[:10]
    halves = in_second_half(rows)
    assert halves[10:20].tolist() == halves[:10].tolist() == in_second_half(rows[:10]).tolist()
    zeros = np.zeros((9, 9), np.float32)
    signed = zeros.copy()
    np.fill_diagonal(signed, -0.0)
    assert in_second_half(signed).tolist() == in_second_half(zeros).tolist()


def test_a_single_row_is_flattered_and_the_protocol_says_so(tmp_path: Path) -> None:
    pca = principal_components(subject_without_training(tmp_path, 1))
    assert pca.description == "fitted on 1 of these rows themselves, which flatters it"


def test_a_stored_pca_is_as_good_as_the_fitted_one(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = (random.normal(size=(400, 10)) @ random.normal(size=(10, 50)) + 20).astype(np.float32)
    fitted = LinearAutoencoder.fit(samples, 6)
    save_principal_components(fitted, 400, tmp_path)
    stored = stored_principal_components(tmp_path)
    assert stored is not None
    assert mse(stored.reconstruct(samples), samples) == pytest.approx(
        mse(fitted.reconstruct(samples), samples), rel=1e-5
    )
    assert stored.description == "of 400 rows of the model's training data, stored with the version"


def test_a_large_pca_is_not_stored(tmp_path: Path) -> None:
    large = np.zeros((2, MAX_STORED_NUMBERS // 2 + 1), np.float32)
    save_principal_components(LinearAutoencoder(large[0], large, "any"), 1, tmp_path)
    assert not (tmp_path / PCA_FILE).exists()
    assert stored_principal_components(tmp_path) is None
