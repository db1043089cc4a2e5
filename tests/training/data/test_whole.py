"""A file is measured as a whole, with the model's own numbers in the place of missing ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.inputs import ImageInput, ValueRange, VectorInput
from training.config import DataConfig
from training.data.dataset import DataSet
from training.data.load import read_source
from training.data.whole import prepare_whole
from training.errors import DataError


def whole(path: Path, fill: tuple[float, ...] = (), **options: object) -> DataSet:
    """Return a file as a whole."""
    config = DataConfig.model_validate({"path": str(path), **options})
    return prepare_whole("any", read_source(path, config), config, fill)


def test_every_row_is_in_the_test_part_in_its_order(tmp_path: Path) -> None:
    rows = np.arange(12.0).reshape(6, 2)
    rows[3] = rows[0]  # a row that repeats stays, too
    np.save(tmp_path / "x.npy", rows)
    data = whole(tmp_path / "x.npy")
    assert (len(data.train), len(data.validation), data.is_whole) == (0, 0, True)
    assert data.test.in_users_units().tolist() == rows.tolist()


def test_one_row_is_enough(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b,kind\n1,2,good\n")
    data = whole(tmp_path / "x.csv", label="kind", columns=("a", "b"))
    assert (len(data.test), data.classes) == (1, ("good",))


def test_missing_values_get_the_models_numbers_not_the_files_medians(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n,8\n3,\n")
    data = whole(tmp_path / "x.csv", fill=(50.0, 60.0), missing="median")
    assert data.test.samples.tolist() == [[1, 2], [50, 8], [3, 60]]
    assert isinstance(data.input, VectorInput)
    assert data.input.fill == (50.0, 60.0)


def test_a_bad_value_is_named_with_its_row(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[1.0, 2.0], [np.nan, 3.0]]))
    with pytest.raises(DataError, match="row 1"):
        whole(tmp_path / "x.npy")


def test_images_have_a_range(tmp_path: Path) -> None:
    np.save(tmp_path / "bytes.npy", np.full((3, 8, 8), 255, np.uint8))
    assert whole(tmp_path / "bytes.npy").test.in_users_units().max() == pytest.approx(1)
    np.save(tmp_path / "flat.npy", np.full((3, 8, 8), 7.0))
    flat = whole(tmp_path / "flat.npy", kind="image").input
    assert isinstance(flat, ImageInput)
    assert flat.value_range == ValueRange(low=7, high=8)
