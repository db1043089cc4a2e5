"""Tests of the steps from rows to a data set: units, value ranges, parts."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.inputs import ImageInput, VectorInput
from tests.helpers.training_data import all_rows, load_array, random_images, rows_of_parts
from training.config import DataConfig
from training.data.load import load_data
from training.data.prepare import prepare
from training.data.source import Source
from training.errors import DataError


def test_stored_images_are_contiguous_with_the_channels_first(tmp_path: Path) -> None:
    array = random_images(20, 9, 8, 3)
    data = load_array(tmp_path, array)
    assert data.input.shape == (3, 9, 8)
    assert data.train.samples.flags.c_contiguous
    assert all_rows(data) == {image.transpose(2, 0, 1).tobytes() for image in array}


def test_8_bit_images_stay_bytes_and_represent_0_to_1(tmp_path: Path) -> None:
    data = load_array(tmp_path, random_images())
    assert isinstance(data.input, ImageInput)
    assert data.train.samples.dtype == np.uint8
    assert (data.input.value_range.low, data.input.value_range.high) == (0, 1)
    assert data.train.in_users_units().max() == np.float32(1)


def test_a_configured_range_is_in_stored_units(tmp_path: Path) -> None:
    data = load_array(tmp_path, random_images(), value_range=(0, 255))
    assert isinstance(data.input, ImageInput)
    assert data.input.value_range.high == data.train.in_users_units().max() == 255


def test_booleans_are_images_of_0_and_1(tmp_path: Path) -> None:
    data = load_array(tmp_path, random_images() > 127)
    assert isinstance(data.input, ImageInput)
    assert data.train.samples.dtype == np.uint8
    assert (data.train.unit, data.input.value_range.high) == (1, 1)


def test_floats_in_0_to_1_have_that_range(tmp_path: Path) -> None:
    data = load_array(tmp_path, random_images() / 400)
    assert isinstance(data.input, ImageInput)
    assert data.train.samples.dtype == np.float32
    assert (data.input.value_range.low, data.input.value_range.high) == (0, 1)


def test_floats_a_little_above_1_have_their_own_range(tmp_path: Path) -> None:
    data = load_array(tmp_path, random_images() / 250 + 0.01)
    assert isinstance(data.input, ImageInput)
    limits = (data.train.samples.min(), data.train.samples.max())
    assert (data.input.value_range.low, data.input.value_range.high) == limits != (0, 1)


def test_held_out_images_are_clipped_to_the_training_range(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    array = random_images(dtype=np.float64) * 10 - 20
    test_image = load_array(tmp_path, array).test.samples[0]
    row = next(i for i, image in enumerate(array) if image.astype(np.float32).tobytes() == test_image.tobytes())
    array[row, 2, 3], array[row, 2, 4] = 1e6, -1e6
    with caplog.at_level(logging.WARNING):
        data = load_array(tmp_path, array)
    assert isinstance(data.input, ImageInput)
    limits = (data.train.samples.min(), data.train.samples.max())
    assert (data.input.value_range.low, data.input.value_range.high) == limits
    assert data.test.samples.min() >= limits[0]
    assert data.test.samples.max() == limits[1] < 1e6
    assert data.findings.clipped >= 2
    assert f"{data.findings.clipped} numbers outside" in data.findings.describe()
    assert "were clipped" in caplog.text
    assert data.findings.high == 1e6


def test_8_bit_images_without_a_value_above_1_cause_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_array(tmp_path, random_images() // 128)
    assert "without a value above 1" in caplog.text


def test_vectors_have_no_range_unless_configured(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.int64).reshape(20, 3)
    data = load_array(tmp_path, array)
    assert isinstance(data.input, VectorInput)
    assert (data.input.shape, data.input.value_range, data.train.unit) == ((3,), None, 1.0)
    assert all_rows(data) == {row.tobytes() for row in array.astype(np.float32)}
    configured = load_array(tmp_path, array, value_range=(0, 60)).input.value_range
    assert configured is not None
    assert (configured.low, configured.high) == (0, 60)


def test_vectors_of_8_bit_images_keep_their_unit(tmp_path: Path) -> None:
    data = load_array(tmp_path, random_images(), kind="vector", value_range=(0, 255))
    assert isinstance(data.input, VectorInput)
    assert data.input.shape == (72,)
    assert data.input.value_range is not None
    assert data.train.unit == 1.0


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.ones((20, 3)), "all rows are the same"),
        (np.ones((20, 9, 8), np.uint8), "all rows are the same"),
        (random_images(1), "expected at least 3 different rows for training, validation and test, got 1 in 1"),
        (random_images(2), "got 2 in 2"),
        (np.array([[1, 2], [3, 4], [1, 2], [1, 2]]), "got 2 in 4"),
    ],
)
def test_too_few_different_rows_are_refused(tmp_path: Path, array: np.ndarray, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        load_array(tmp_path, array)
    assert "stack.npy" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parts_share_no_row_and_depend_on_the_seed(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(100, 3))
    np.save(tmp_path / "table.npy", np.concatenate([numbers, numbers]))
    config = DataConfig(path=str(tmp_path / "table.npy"))
    first, again, other = (load_data(config, None, seed) for seed in (0, 0, 1))
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    assert (len(first.train), len(first.validation), len(first.test)) == (144, 36, 20)
    assert sum(map(len, rows_of_parts(first))) == len(all_rows(first)) == 100
    assert rows_of_parts(first)[2] != rows_of_parts(other)[2]
    assert first.findings.duplicates == 100


@pytest.mark.parametrize(
    ("rows", "validation"),
    [(50, 9), (1_000, 180), (2_000, 200), (100_000, 4_500)],
    ids=["a fifth", "a fifth of more", "200 rows", "a twentieth"],
)
def test_the_validation_part_has_200_rows_but_a_twentieth_to_a_fifth(rows: int, validation: int) -> None:
    """The test part takes a tenth of the rows, and the shares are of the others."""
    data = prepare("rows", vectors(0, rows, None), DataConfig(), 0)
    assert (len(data.validation), len(data.test)) == (validation, rows // 10)
    assert len(data.train) == rows - rows // 10 - validation


def test_the_validation_part_of_rows_with_their_own_test_part_has_200_rows() -> None:
    source = replace(vectors(0, 2_000, None), test=vectors(10_000, 7, None))
    assert len(prepare("rows", source, DataConfig(), 0).validation) == 200


def test_a_configured_validation_share_is_kept() -> None:
    assert len(prepare("rows", vectors(0, 1_000, None), DataConfig(validation=0.5), 0).validation) == 450


def vectors(first: int, count: int, labels: np.ndarray | None) -> Source:
    """Return rows that count up from a number."""
    return Source("rows", np.arange(first, first + 2 * count).reshape(count, 2), labels, kind="vector")


def test_a_test_part_without_labels_has_no_labels() -> None:
    labels = np.array(["b", "a"] * 5)
    source = vectors(0, 10, labels)
    data = prepare("rows", replace(source, test=vectors(100, 4, None)), DataConfig(validation=0.3), 0)
    assert data.classes == ("a", "b")
    assert data.test.labels is None
    for part in (data.train, data.validation):
        assert part.labels is not None
        assert [data.classes[label] for label in part.labels] == [labels[int(row[0]) // 2] for row in part.samples]
    assert data.findings.class_counts == {"a": 5, "b": 5}


def test_only_a_labelled_test_part_has_labels() -> None:
    source = vectors(0, 10, None)
    test = vectors(100, 2, np.array(["b", "a"]))
    data = prepare("rows", replace(source, test=test), DataConfig(validation=0.3), 0)
    assert data.train.labels is None
    assert data.validation.labels is None
    assert data.test.labels is not None
    assert data.test.labels.tolist() == [1, 0]


def test_windows_of_series_are_vectors_without_a_range(tmp_path: Path) -> None:
    windows = np.random.default_rng(0).normal(size=(30, 24, 3)).astype(np.float32)
    data = load_array(tmp_path, windows, kind="vector")
    assert data.input == VectorInput(shape=(72,), window=(24, 3))
    assert all_rows(data) == {window.tobytes() for window in windows}
    assert data.findings.describe().startswith(
        "rows        30, each a vector of 72 numbers (a window of 24x3), float32"
    )


def own_parts(train: np.ndarray, validation: np.ndarray | None, test: np.ndarray | None) -> Source:
    """Return a source of vectors with its own parts."""
    parts = {
        name: None if samples is None else Source("parts", samples, kind="vector")
        for name, samples in (("validation", validation), ("test", test))
    }
    return Source("parts", train, kind="vector", validation=parts["validation"], test=parts["test"])


def numbers(first: int, count: int) -> np.ndarray:
    """Return different rows of two numbers."""
    return np.arange(2 * first, 2 * (first + count), dtype=np.float32).reshape(count, 2)


def test_parts_of_the_source_stay_what_they_are() -> None:
    source = own_parts(numbers(0, 40), numbers(40, 12), numbers(60, 7))
    data = prepare("parts", source, DataConfig(), seed=0)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [40, 12, 7]
    assert data.validation.samples.tolist() == numbers(40, 12).tolist()
    assert data.test.samples.tolist() == numbers(60, 7).tolist()


def test_a_missing_part_is_a_share_of_the_training_rows() -> None:
    only_validation = prepare("parts", own_parts(numbers(0, 40), numbers(40, 12), None), DataConfig(test=0.25), seed=0)
    assert [len(only_validation.train), len(only_validation.validation), len(only_validation.test)] == [30, 12, 10]
    only_test = prepare("parts", own_parts(numbers(0, 40), None, numbers(40, 12)), DataConfig(validation=0.1), seed=0)
    assert [len(only_test.train), len(only_test.validation), len(only_test.test)] == [36, 4, 12]


def test_no_row_of_a_later_part_is_in_an_earlier_one() -> None:
    """Rows 38, 39 are also validation rows, and rows 50, 51 are in validation and test."""
    source = own_parts(numbers(0, 40), numbers(38, 14), numbers(50, 9))
    data = prepare("parts", source, DataConfig(), seed=0)
    assert [len(data.train), len(data.validation), len(data.test)] == [38, 12, 9]
    assert data.findings.dropped == 4
    assert "dropped     4 rows that are also in a held-out part" in data.findings.describe()


def test_notes_of_a_reader_are_findings() -> None:
    source = replace(own_parts(numbers(0, 40), None, None), notes={"passed over": "2 files: .txt 2"})
    assert prepare("parts", source, DataConfig(), seed=0).findings.describe().splitlines()[1] == (
        "passed over 2 files: .txt 2"
    )


@pytest.mark.parametrize(
    ("array", "place"),
    [
        (
            np.array([[3e38, 1], [-3e38, 2], [0, 3], [1, 4]]),
            "column 0: numbers from -3e\\+38 to 3e",
        ),
        (np.linspace(-1e38, 1e38, 4 * 64).reshape(4, 8, 8), "stack.npy: numbers from -1e\\+38 to 1e\\+38 are too far"),
    ],
)
def test_numbers_whose_distances_overflow_are_refused(tmp_path: Path, array: np.ndarray, place: str) -> None:
    with pytest.raises(DataError, match=place):
        load_array(tmp_path, array)
    assert load_array(tmp_path, array / 1e9).findings.rows == 4
