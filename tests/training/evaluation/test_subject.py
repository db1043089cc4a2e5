"""A subject refuses data that the model cannot take, and processes rows in chunks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.engine.repository import load_version
from app.engine.results import Posterior
from app.inputs import ImageInput, ValueRange, VectorInput
from app.manifest import Manifest
from tests.helpers import tiny
from tests.helpers.training_evaluation import tiny_images, tiny_model
from training.data.dataset import DataSet, Split
from training.errors import DataError
from training.evaluation.limits import Limits, RowLimit
from training.evaluation.subject import Subject, check_fit, choose_rows, chunks, join_posteriors, map_chunks


def data_of_another_shape() -> DataSet:
    """Return images of 3 x 3 pixels."""
    rows = Split(np.zeros((5, 1, 3, 3), np.float32), None, 1.0)
    return DataSet("wide", ImageInput(shape=(1, 3, 3), value_range=ValueRange(low=0, high=1)), (), rows, rows, rows)


def data_out_of_range() -> DataSet:
    """Return images whose pixels are all 9."""
    rows = Split(np.full((3, 1, 2, 2), 9, np.uint8), None, 1.0)
    return DataSet("far", tiny.IMAGE, (), rows, rows, rows)


def data_without_test_rows() -> DataSet:
    """Return images with an empty test part."""
    data = tiny_images()
    return DataSet("empty", data.input, (), data.train, data.validation, data.test.take(slice(0)))


@pytest.mark.parametrize(
    ("labels", "data", "message"),
    [
        ((), data_of_another_shape(), r"wide: expected samples of shape \[1, 2, 2\].*got \[1, 3, 3\]"),
        ((), data_out_of_range(), "far: expected numbers from 0 to 1.*got 9 to 9 in the training part"),
        ((), data_without_test_rows(), "empty: the test part has no rows"),
        (("a", "b"), tiny_images(), "tiny: expected labels, since the model 'tiny' is conditional, got none"),
        (("a", "b"), tiny_images(("a", "c")), r"tiny: expected the labels of the model 'tiny' \(a, b\), got 'c'"),
    ],
)
def test_data_that_the_model_cannot_take_are_refused(
    tmp_path: Path, labels: tuple[str, ...], data: DataSet, message: str
) -> None:
    model = tiny_model(tmp_path, "variational-autoencoder", labels)
    with pytest.raises(DataError, match=message):
        Subject.of(model, data)


def test_columns_in_another_order_are_refused(tmp_path: Path) -> None:
    model = load_version(tiny.write_version(tmp_path, kind=tiny.TABLE), "tiny", 1)
    rows = Split(np.zeros((5, 4), np.float32), None, 1.0)
    swapped = VectorInput(shape=(4,), feature_names=("a", "c", "b", "d"))
    with pytest.raises(DataError, match="column 2: expected 'b', as in the model, got 'c'"):
        Subject.of(model, DataSet("swapped", swapped, (), rows, rows, rows))


def test_the_ends_of_a_range_that_float32_rounds_are_inside_it(tmp_path: Path) -> None:
    kind = ImageInput(shape=(1, 2, 2), value_range=ValueRange(low=0, high=0.1))  # float32(0.1) is above 0.1
    manifest = Manifest.read(tiny.write_version(tmp_path)).model_copy(update={"input": kind})
    rows = Split(np.full((5, 1, 2, 2), 0.1, np.float32), None, 1.0)
    check_fit(manifest, DataSet("edge", kind, (), rows, rows, rows))


def test_chosen_rows_come_from_the_whole_split_in_their_order() -> None:
    samples = np.linspace(0.2, 0.8, 400, dtype=np.float32).reshape(100, 1, 2, 2)
    split = Split(samples, np.arange(100), 1.0)
    rows = choose_rows(split, 20, seed=0)
    assert rows.labels is not None
    assert (np.diff(rows.labels) > 0).all()
    assert rows.labels.max() > 80
    assert (rows.samples[:, 0, 0, 0] == samples[rows.labels, 0, 0, 0]).all()
    assert (choose_rows(split, 20, seed=0).samples == rows.samples).all()
    assert (choose_rows(split, 20, seed=1).samples != rows.samples).any()
    assert choose_rows(split, 100, seed=0) is split


def test_chunks_hold_all_rows_in_order() -> None:
    split = Split(np.arange(10, dtype=np.float32).reshape(5, 2), None, 0.5)
    assert [len(part) for part in chunks(split, RowLimit(100, 4))] == [2, 2, 1]
    assert map_chunks(lambda samples: samples[:, 0], split, RowLimit(2, 100)).tolist() == [0, 1, 2, 3, 4]


def test_baselines_are_fitted_on_as_many_rows_as_the_limit_allows(tmp_path: Path) -> None:
    model, data = tiny_model(tmp_path), tiny_images()
    subject = Subject.of(model, data, limits=Limits(baseline=RowLimit(100, 28)))
    assert len(subject.baseline_rows()) == 7
    assert len(Subject.of(model, data).baseline_rows()) == 20


def test_labels_are_matched_by_name(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, "variational-autoencoder", ("low", "high"))
    subject = Subject.of(model, tiny_images(("high", "low")))
    decoded = subject.decode(np.zeros((2, 2), np.float32), np.array([0, 1]))
    assert decoded[:, 0, 0, 0].tolist() == [0.25, 0]  # the decoder adds a quarter of the model's label number


def test_posteriors_are_joined_row_by_row() -> None:
    one, two = np.ones((1, 3), np.float32), np.full((2, 3), 2, np.float32)
    joined = join_posteriors([Posterior(one, -one), Posterior(two, -two)])
    assert joined.logvar is not None
    assert joined.mu[:, 0].tolist() == [1, 2, 2]
    assert joined.logvar[:, 0].tolist() == [-1, -2, -2]
    assert join_posteriors([Posterior(one, None)]).logvar is None
