"""Arrays of numpy's files: layouts, units, ranges, and what is refused."""

from __future__ import annotations

import logging
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.manifest import ImageInput, VectorInput
from training.config import DataConfig
from training.data.dataset import DataSet
from training.data.load import load_data
from training.errors import DataError


def stack(rows: int = 20, *shape: int, dtype: Any = np.uint8, seed: int = 0) -> np.ndarray:
    """Random bytes as images, or as what `shape` says."""
    return np.random.default_rng(seed).integers(0, 256, (rows, *(shape or (9, 8)))).astype(dtype)


def load(path: Path, array: np.ndarray, seed: int = 0, **options: Any) -> DataSet:
    """The data set of an array in a .npy file."""
    np.save(path / "stack.npy", array)
    return load_data(DataConfig(path=str(path / "stack.npy"), **options), None, seed)


def everything(data: DataSet) -> set[bytes]:
    """The samples of all parts."""
    return {sample.tobytes() for part in (data.train, data.validation, data.test) for sample in part.samples}


def test_a_file_written_by_hand_is_read(tmp_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }"
    header += b" " * (64 - (10 + len(header) + 1) % 64) + b"\n"
    numbers = struct.pack("<8f", *(n / 4 for n in range(8)))
    (tmp_path / "hand.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + numbers)
    data = load_data(DataConfig(path="hand.npy"), tmp_path, seed=0)
    assert data.name == "hand"
    assert everything(data) == {struct.pack("<2f", n / 4, (n + 1) / 4) for n in (0, 2, 4, 6)}
    assert (len(data.train), len(data.validation), len(data.test)) == (2, 1, 1)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((9, 8), (1, 9, 8)), ((3, 9, 8), (3, 9, 8)), ((9, 8, 3), (3, 9, 8)), ((9, 8, 1), (1, 9, 8))],
)
def test_stacks_become_images_with_the_channels_first(
    tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    array = stack(20, *shape)
    data = load(tmp_path, array)
    assert isinstance(data.input, ImageInput)
    assert data.input.shape == expected
    assert data.train.samples.flags.c_contiguous
    last = shape[-1] in (1, 3)
    want = {(image.transpose(2, 0, 1) if last else image).tobytes() for image in array}
    assert everything(data) == want


def test_where_both_axes_could_be_the_channels_the_second_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got 9x3"):
        load(tmp_path, stack(20, 3, 9, 3))


def test_8_bit_images_stay_bytes_and_stand_for_0_to_1(tmp_path: Path) -> None:
    data = load(tmp_path, stack())
    assert isinstance(data.input, ImageInput)
    assert data.train.samples.dtype == np.uint8
    assert (data.input.value_range.low, data.input.value_range.high) == (0, 1)
    assert data.train.in_users_units().max() == np.float32(1)


def test_a_range_that_is_stated_is_that_of_the_stored_numbers(tmp_path: Path) -> None:
    data = load(tmp_path, stack(), value_range=(0, 255))
    assert isinstance(data.input, ImageInput)
    assert data.input.value_range.high == data.train.in_users_units().max() == 255


def test_booleans_are_images_of_0_and_1(tmp_path: Path) -> None:
    data = load(tmp_path, stack() > 127)
    assert isinstance(data.input, ImageInput)
    assert data.train.samples.dtype == np.uint8
    assert (data.train.unit, data.input.value_range.high) == (1, 1)


def test_floats_in_0_to_1_have_that_range(tmp_path: Path) -> None:
    data = load(tmp_path, stack() / 400)
    assert isinstance(data.input, ImageInput)
    assert data.train.samples.dtype == np.float32
    assert (data.input.value_range.low, data.input.value_range.high) == (0, 1)


def test_floats_a_little_above_1_have_their_own_range(tmp_path: Path) -> None:
    data = load(tmp_path, stack() / 250 + 0.01)
    assert isinstance(data.input, ImageInput)
    limits = (data.train.samples.min(), data.train.samples.max())
    assert (data.input.value_range.low, data.input.value_range.high) == limits != (0, 1)


def test_other_images_have_the_range_of_the_training_part_and_the_others_are_clipped_to_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    array = stack(dtype=np.float64) * 10 - 20
    tested = load(tmp_path, array).test.samples[0]
    row = next(i for i, image in enumerate(array) if image.astype(np.float32).tobytes() == tested.tobytes())
    array[row, 2, 3], array[row, 2, 4] = 1e6, -1e6
    with caplog.at_level(logging.WARNING):
        data = load(tmp_path, array)
    assert isinstance(data.input, ImageInput)
    limits = (data.train.samples.min(), data.train.samples.max())
    assert (data.input.value_range.low, data.input.value_range.high) == limits
    assert data.test.samples.min() >= limits[0]
    assert data.test.samples.max() == limits[1] < 1e6
    assert data.findings.clipped >= 2
    assert f"{data.findings.clipped} numbers outside" in data.findings.describe()
    assert "were clipped" in caplog.text
    assert data.findings.high == 1e6


def test_bytes_without_a_value_above_1_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(tmp_path, stack() // 128)
    assert "without a value above 1" in caplog.text


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("u1", "u1"), ("i2", "i2"), (">i2", "i2"), ("?", "u1"), ("i8", "f4"), ("f8", "f4"), (">f4", "f4")],
)
def test_a_matrix_is_rows_of_numbers_without_a_range(tmp_path: Path, dtype: str, kept: str) -> None:
    array = (np.arange(60) % 50).reshape(20, 3).astype(dtype)
    data = load(tmp_path, array)
    assert isinstance(data.input, VectorInput)
    assert (data.input.shape, data.input.value_range, data.train.unit) == ((3,), None, 1.0)
    assert data.train.samples.dtype == np.dtype(kept)
    assert {tuple(row) for part in (data.train, data.validation, data.test) for row in part.samples.tolist()} == {
        tuple(row) for row in array.astype(kept).tolist()
    }


def test_kind_makes_vectors_of_images(tmp_path: Path) -> None:
    data = load(tmp_path, stack(), kind="vector", value_range=(0, 255))
    assert isinstance(data.input, VectorInput)
    assert data.input.shape == (72,)
    assert data.input.value_range is not None
    assert data.train.unit == 1.0


def with_value(value: float, dtype: Any = np.float64) -> np.ndarray:
    """A matrix with one odd number in row 7, column 1."""
    array = np.arange(60).reshape(20, 3).astype(dtype)
    array[7, 1] = value
    return array


@pytest.mark.parametrize(
    ("array", "options", "complaint"),
    [
        (with_value(np.nan), {}, r"stack\.npy: row 7 \(from 0\), column 1: not a number \(NaN\)"),
        (with_value(-np.inf), {}, r"row 7 \(from 0\), column 1: infinite"),
        (with_value(1e39), {}, r"row 7 \(from 0\), column 1: 1e\+39 is too large for float32"),
        (with_value(99), {"value_range": (0, 60)}, r"row 7 .*column 1: expected values from 0 to 60, got 99"),
        (with_value(-1), {"value_range": (0, 60)}, "got -1"),
        (stack(), {"value_range": (0, 250)}, r"stack\.npy: row \d+ \(from 0\): expected values from 0 to 250, got 25"),
        (np.ones((20, 3)), {}, "all rows are the same"),
        (np.ones((20, 9, 8), np.uint8), {}, "all rows are the same"),
        (stack(1), {}, "expected at least 3 different rows for training, validation and test, got 1 in 1"),
        (stack(2), {}, "got 2 in 2"),
        (np.array([[1, 2], [3, 4], [1, 2], [1, 2]]), {}, "got 2 in 4"),
        (np.zeros((0, 3)), {}, "got none"),
        (np.arange(20), {}, r"expected 2 axes \(vectors\), or 3 or 4 \(images\), got shape \(20,\)"),
        (np.zeros((20, 1)), {}, "expected at least 2 columns of numbers, got 1"),
        (np.full((20, 3), "a"), {}, "expected numbers, got the type <U1"),
        (np.ones((20, 3), complex), {}, "expected numbers, got the type complex128"),
        (np.full((20, 3), None), {}, "cannot be read as a .npy file"),
        (stack(20, 2, 9, 8), {}, r"expected 1 \(grey\) or 3 \(RGB\) channels as second or last axis"),
        (stack(20, 7, 8), {}, "expected images of 8 to 256 pixels a side, got 7x8"),
        (stack(4, 8, 257), {}, "got 8x257"),
        (stack(20, 9), {"kind": "image"}, r"shape \(20, 9\) has no height and width"),
        (stack(), {"label": "y"}, "data.label has no meaning for this kind of data"),
        (stack(), {"image_size": (8, 8)}, "data.image_size has no meaning"),
    ],
)
def test_what_cannot_be_trained_on_is_named(
    tmp_path: Path, array: np.ndarray, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        load(tmp_path, array, **options)
    assert "stack.npy" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("x.npy", b"", "the file is empty"),
        ("x.npy", b"hello", "cannot be read as a .npy file"),
        ("x.npy", b"\x93NUMPY\x01\x00", "cannot be read as a .npy file"),
        ("x.npz", b"PK\x03\x04broken", "cannot be read as a .npz archive"),
        ("x.tiff", b"II*\x00", "expected a .npy, .npz, .csv, .parquet or IDX file, or a folder of images"),
    ],
)
def test_a_file_that_is_broken_or_unknown_is_named(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        load_data(DataConfig(path=name), tmp_path, seed=0)
    assert str(tmp_path / name) in str(caught.value)


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", stack())
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-1])
    with pytest.raises(DataError, match=r"x\.npy: cannot be read"):
        load_data(DataConfig(path="x.npy"), tmp_path, seed=0)


def test_a_path_is_looked_up_as_it_is_then_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    np.save(tmp_path / "x.npy", stack())
    assert load_data(DataConfig(path="x.npy"), tmp_path, seed=0).input.shape == (1, 9, 8)
    np.save("x.npy", stack(20, 4))
    assert load_data(DataConfig(path="x.npy"), tmp_path, seed=0).input.shape == (4,)
    with pytest.raises(DataError, match=r"no such file or folder: y\.npy or .*y\.npy"):
        load_data(DataConfig(path="y.npy"), tmp_path, seed=0)


def test_without_a_data_set_the_option_is_named() -> None:
    with pytest.raises(DataError, match="--data PATH"):
        load_data(DataConfig(), None, seed=0)


@pytest.mark.parametrize(
    ("members", "options"),
    [
        (("images",), {}),
        (("x", "y"), {}),
        (("samples", "other"), {}),
        (("a", "b"), {"samples": "a"}),
        (("a", "kinds"), {"label": "kinds"}),
    ],
)
def test_the_member_of_an_archive_is_found(tmp_path: Path, members: tuple[str, ...], options: dict[str, str]) -> None:
    array, kinds = stack(), np.array(["cat", "ape"] * 10)
    arrays: dict[str, Any] = dict(zip(members, (array, kinds), strict=False))
    np.savez_compressed(tmp_path / "set.npz", **arrays)
    data = load_data(DataConfig(path="set.npz", **options), tmp_path, seed=0)
    assert everything(data) == {image.tobytes() for image in array}
    assert data.classes == (("ape", "cat") if "label" in options else ())
    if "label" not in options:
        assert data.train.labels is None
        return
    label_of = {image.tobytes(): 1 - row % 2 for row, image in enumerate(array)}
    for part in (data.train, data.validation, data.test):
        assert part.labels is not None
        assert part.labels.dtype == np.int64
        assert part.labels.tolist() == [label_of[sample.tobytes()] for sample in part.samples]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "data.samples must name the member that holds the samples; there are a, b, few, half, pickled"),
        ({"samples": "c"}, 'no member "c" among a, b, few, half, pickled'),
        ({"samples": "a", "label": "c"}, 'no member "c" among'),
        ({"samples": "a", "label": "few"}, r"expected 20 labels, got shape \(3,\)"),
        (
            {"samples": "a", "label": "half"},
            r"row 1 \(from 0\): expected a label that is text or a whole number, got 0.5",
        ),
        ({"samples": "pickled"}, "Object arrays cannot be loaded"),
    ],
)
def test_an_archive_without_a_clear_member_lists_them(tmp_path: Path, options: dict[str, str], complaint: str) -> None:
    np.savez(
        tmp_path / "set.npz",
        a=stack(),
        b=stack(),
        few=np.arange(3),
        half=np.arange(20) / 2,
        pickled=np.array([{}], object),
    )
    with pytest.raises(DataError, match=complaint) as caught:
        load_data(DataConfig(path="set.npz", **options), tmp_path, seed=0)
    assert "set.npz" in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array([10, 9, -1, 9]), ("-1", "9", "10")),
        (np.array([10.0, 9.0, -1.0, 9.0]), ("-1", "9", "10")),
        (np.array(["10", "9", "-1", "9"]), ("-1", "9", "10")),
        (np.array([b"b", b"a", b"c", b"a"]), ("a", "b", "c")),
        (np.array(["10", "9", "x", "9"]), ("10", "9", "x")),
        (np.array([True, False, True, False]), ("False", "True")),
    ],
)
def test_classes_are_sorted_and_numbers_numerically(
    tmp_path: Path, labels: np.ndarray, classes: tuple[str, ...]
) -> None:
    samples = np.arange(8).reshape(4, 2)
    np.savez(tmp_path / "set.npz", x=samples, y=labels)
    data = load_data(DataConfig(path="set.npz", label="y"), tmp_path, seed=0)
    assert data.classes == classes
    for part in (data.train, data.validation, data.test):
        assert part.labels is not None
        for sample, label in zip(part.samples, part.labels, strict=True):
            original = labels[int(sample[0]) // 2]
            text = original.decode() if isinstance(original, bytes) else str(original)
            assert data.classes[label] == text.removesuffix(".0")
