"""Principal axes are those of scikit-learn, exactly for small samples and closely for large ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.training_data import data_of, one_sided_images, planted_rows
from training.choices import spectrum
from training.choices.augmentation import NONE
from training.choices.spectrum import explained, preprocessed, principal_axes, residual
from training.config import AugmentationConfig
from training.data.dataset import DataSet, Split
from training.preprocessing import Preprocessor, fit_preprocessing

MIRRORED = AugmentationConfig(shift=0, flip=True)


def standardised(data: DataSet) -> Preprocessor:
    """Return a preprocessing that standardises each column."""
    return fit_preprocessing(with_objective(bundled_config("table-ae"), likelihood="gaussian"), data)


def rows_of(split: Split, preprocessing: Preprocessor) -> np.ndarray:
    """Return all preprocessed rows, flattened, in double precision."""
    rows: np.ndarray = preprocessing(torch.from_numpy(split.in_users_units())).flatten(1).double().numpy()
    return rows


@pytest.mark.parametrize("columns", [20, spectrum.EXACT_FEATURES + 6], ids=["exact", "randomised"])
def test_axes_are_those_of_scikit_learn(columns: int) -> None:
    rows = planted_rows(120, (5.0, 3.0, 2.0), columns, noise=0.05)
    data = data_of(rows[:100], rows[100:])
    preprocessing = standardised(data)
    axes = principal_axes([data.train], preprocessing, 3, NONE)
    train, held_out = rows_of(data.train, preprocessing), rows_of(data.validation, preprocessing)
    pca = PCA(3, svd_solver="full").fit(train)
    assert np.abs(axes.components.numpy() @ pca.components_.T) == pytest.approx(np.eye(3), abs=2e-3)
    assert axes.variances.numpy() == pytest.approx(pca.explained_variance_ * 99 / 100, rel=1e-3)
    assert axes.mean.numpy() == pytest.approx(pca.mean_, abs=1e-5)
    errors = np.square(held_out - pca.inverse_transform(pca.transform(held_out)))
    assert residual(axes, data.validation, preprocessing).numpy() == pytest.approx(errors.mean(0), rel=0.03, abs=1e-4)


def test_the_residual_of_fewer_axes_is_that_of_a_smaller_pca() -> None:
    data = data_of(planted_rows(200, (5.0, 3.0, 2.0), 10, noise=0.5))
    preprocessing = standardised(data)
    axes = principal_axes([data.train], preprocessing, 5, NONE)
    rows = rows_of(data.train, preprocessing)
    pca = PCA(2).fit(rows)
    expected = np.square(rows - pca.inverse_transform(pca.transform(rows))).mean(0)
    assert residual(axes, data.train, preprocessing, count=2).numpy() == pytest.approx(expected, rel=1e-3)


def test_the_explained_share_of_the_training_rows_is_that_of_scikit_learn() -> None:
    data = data_of(planted_rows(200, (5.0, 3.0, 2.0), 10, noise=0.5))
    preprocessing = standardised(data)
    axes = principal_axes([data.train], preprocessing, 4, NONE)
    ratios = PCA(4).fit(rows_of(data.train, preprocessing)).explained_variance_ratio_
    assert explained(axes, data.train, preprocessing).numpy() == pytest.approx(ratios.cumsum(), rel=1e-4)


def test_axes_of_two_parts_are_those_of_all_their_rows() -> None:
    rows = planted_rows(90, (5.0, 3.0), 8, noise=0.2)
    parts, whole = data_of(rows[:50], rows[50:]), data_of(rows)
    preprocessing = standardised(whole)
    first = principal_axes([parts.train, parts.validation], preprocessing, 2, NONE)
    second = principal_axes([whole.train], preprocessing, 2, NONE)
    torch.testing.assert_close(first.variances, second.variances)
    torch.testing.assert_close((first.components @ second.components.T).abs(), torch.eye(2), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("rows", "columns", "count"), [(4, 10, 3), (40, 5, 5), (40, 1100, 8)], ids=["few rows", "few columns", "asked for"]
)
def test_axes_are_fewer_than_rows_and_not_more_than_columns(rows: int, columns: int, count: int) -> None:
    data = data_of(np.random.default_rng(0).normal(size=(rows, columns)))
    axes = principal_axes([data.train], standardised(data), 8, NONE)
    assert (len(axes.components), len(axes.variances)) == (count, count)
    torch.testing.assert_close(axes.components @ axes.components.T, torch.eye(count), atol=1e-4, rtol=0)


@pytest.mark.parametrize("columns", [30, spectrum.EXACT_FEATURES + 6], ids=["exact", "randomised"])
def test_rounding_errors_are_no_axes(columns: int) -> None:
    data = data_of(planted_rows(200, (3.0, 2.0, 1.0), columns) + 5.0)
    preprocessing = standardised(data)
    assert len(principal_axes([data.train], preprocessing, 12, NONE).components) == 3


def test_constant_rows_have_no_axis() -> None:
    data = data_of(np.ones((20, 4)))
    preprocessing = standardised(data_of(np.random.default_rng(0).normal(size=(20, 4))))
    axes = principal_axes([data.train], preprocessing, 3, NONE)
    assert (len(axes.components), len(axes.variances)) == (0, 0)
    assert explained(axes, data.train, preprocessing).shape == (0,)
    assert residual(axes, data.train, preprocessing).max() < 1e-10


def test_axes_of_mirrored_copies_reconstruct_mirrored_images() -> None:
    left = one_sided_images(150)
    data, mirrored = data_of(left), data_of(left[..., ::-1].copy())
    preprocessing = fit_preprocessing(bundled_config("images-ae"), data)
    plain, copies = (principal_axes([data.train], preprocessing, 40, options) for options in (NONE, MIRRORED))
    errors = [float(residual(axes, mirrored.train, preprocessing).mean()) for axes in (plain, copies)]
    assert errors[1] < 0.1 * errors[0]


@pytest.mark.parametrize("limit", ["MAX_ROWS", "MAX_BYTES"])
def test_axes_of_many_large_samples_come_from_some_of_the_rows(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eleven rows have ten axes. With six copies of each, one row and its mirror image are left: one axis."""
    data = data_of(np.random.default_rng(0).random((200, 1, 33, 32)))
    preprocessing = fit_preprocessing(bundled_config("images-ae"), data)
    monkeypatch.setattr(spectrum, limit, 11 * (4 * 33 * 32 if limit == "MAX_BYTES" else 1))
    assert len(principal_axes([data.train], preprocessing, 30, NONE).components) == 10
    assert len(principal_axes([data.train], preprocessing, 30, MIRRORED).components) == 1


def test_axes_of_small_samples_come_from_all_rows_unless_there_are_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """With six copies of each, two rows and their mirror images are left: three axes."""
    data = data_of(np.random.default_rng(0).random((200, 1, 8, 8)))
    preprocessing = fit_preprocessing(bundled_config("images-ae"), data)
    monkeypatch.setattr(spectrum, "MAX_ROWS", 14)
    assert len(principal_axes([data.train], preprocessing, 64, NONE).components) == 64
    assert len(principal_axes([data.train], preprocessing, 64, MIRRORED).components) == 3


def test_axes_are_the_same_each_time() -> None:
    data = data_of(one_sided_images(60, side=40))
    preprocessing = fit_preprocessing(bundled_config("images-ae"), data)
    options = AugmentationConfig(shift=2, flip=True)
    first, second = (principal_axes([data.train], preprocessing, 5, options) for _ in range(2))
    assert torch.equal(first.components, second.components)


def test_chunks_have_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_of(planted_rows(25, (1.0,), 3))
    preprocessing = standardised(data)
    monkeypatch.setattr(spectrum, "CHUNK_ROWS", 10)
    chunks = list(preprocessed(data.train, preprocessing))
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]
    np.testing.assert_allclose(torch.cat(chunks).numpy(), rows_of(data.train, preprocessing), rtol=1e-6)
