"""Tests of the readers of .npy and .npz files."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.training_data import all_rows, load_array, random_images
from training.config import DataConfig
from training.data.load import load_data
from training.data.readers.numpy_files import read_npy, read_npz
from training.errors import DataError


def test_a_handwritten_file_is_read(tmp_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }"
    header += b" " * (64 - (10 + len(header) + 1) % 64) + b"\n"
    numbers = struct.pack("<8f", *(n / 4 for n in range(8)))
    (tmp_path / "hand.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + numbers)
    data = load_data(DataConfig(path="hand.npy"), tmp_path, seed=0)
    assert data.name == "hand"
    assert all_rows(data) == {struct.pack("<2f", n / 4, (n + 1) / 4) for n in (0, 2, 4, 6)}
    assert (len(data.train), len(data.validation), len(data.test)) == (2, 1, 1)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"hello", "not a .npy file"),
        (b"PK\3\4 and more", "not a .npy file"),
        (b"\x93NUMPY\x01\x00", r"cannot be read as a \.npy file"),
        (
            b"\x93NUMPY\x01\x00\x40\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (True, 5), }\n ",
            "be read",
        ),
    ],
)
def test_a_broken_npy_file_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        read_npy(tmp_path / "x.npy")
    assert str(caught.value).startswith(str(tmp_path / "x.npy"))


def test_a_truncated_npy_file_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", random_images())
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-1])
    with pytest.raises(DataError, match=r"x\.npy: cannot be read"):
        read_npy(tmp_path / "x.npy")


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"stack\.npy: cannot be read as a .npy file"):
        load_array(tmp_path, np.full((20, 3), None))


def test_a_broken_npz_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04broken")
    with pytest.raises(DataError, match=r"x\.npz: cannot be read as a .npz archive"):
        read_npz(tmp_path / "x.npz", None, None)


def test_an_npz_archive_that_is_a_npy_file_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", random_images())
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    with pytest.raises(DataError, match=r"x\.npz: not a .npz archive"):
        read_npz(tmp_path / "x.npz", None, None)


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
def test_the_samples_of_an_archive_are_found(tmp_path: Path, members: tuple[str, ...], options: dict[str, str]) -> None:
    array, kinds = random_images(), np.array(["cat", "ape"] * 10)
    arrays: dict[str, Any] = dict(zip(members, (array, kinds), strict=False))
    np.savez_compressed(tmp_path / "set.npz", **arrays)
    data = load_data(DataConfig(path="set.npz", **options), tmp_path, seed=0)
    assert all_rows(data) == {image.tobytes() for image in array}
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
        ({}, "--samples must name the member that holds the samples; there are a, b, few, pickled"),
        ({"samples": "c"}, 'no member "c" among a, b, few, pickled'),
        ({"samples": "a", "label": "c"}, 'no member "c" among'),
        ({"samples": "a", "label": "few"}, r"expected 20 labels, got shape \(3,\)"),
        ({"samples": "pickled"}, "Object arrays cannot be loaded"),
    ],
)
def test_a_missing_or_unsuitable_member_is_named(tmp_path: Path, options: dict[str, str], complaint: str) -> None:
    arrays: dict[str, Any] = {
        "a": random_images(),
        "b": random_images(),
        "few": np.arange(3),
        "pickled": np.array([{}], object),
    }
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(DataError, match=complaint) as caught:
        load_data(DataConfig(path="set.npz", **options), tmp_path, seed=0)
    assert "set.npz" in str(caught.value)


def write_archive(path: Path, **members: np.ndarray) -> Path:
    """Write an archive and return its path."""
    np.savez(path, **members)  # type: ignore[arg-type]  # numpy's stub takes other keywords for allow_pickle
    return path


def test_a_published_archive_has_the_parts_that_its_names_say(tmp_path: Path) -> None:
    images = random_images(60)
    labels = np.arange(60, dtype=np.uint8)[:, None] % 3
    path = write_archive(
        tmp_path / "cells.npz",
        train_images=images[:40],
        val_images=images[40:48],
        test_images=images[48:],
        train_labels=labels[:40],
        val_labels=labels[40:48],
        test_labels=labels[48:],
        notes=np.arange(3),
    )
    data = load_data(DataConfig(path=str(path)), None, seed=0)
    for part, rows in ((data.train, range(40)), (data.validation, range(40, 48)), (data.test, range(48, 60))):
        assert part.samples[:, 0].tolist() == images[list(rows)].tolist()
        assert part.labels is not None
        assert part.labels.tolist() == [row % 3 for row in rows]
    assert data.findings.class_counts == {"0": 20, "1": 20, "2": 20}
    assert data.findings.notes == {
        "parts": "train from train_images, validation from val_images, test from test_images",
        "left out": "notes",
    }


@pytest.mark.parametrize(
    "names",
    [("x_train", "y_train", "x_test", "y_test"), ("trainX", "trainY", "testX", "testY"), ("Xtrain", "a", "Xtest", "b")],
)
def test_a_validation_part_is_cut_from_training_if_there_is_none(tmp_path: Path, names: tuple[str, ...]) -> None:
    images = random_images(30)
    members = dict(zip(names, (images[:20], np.arange(20) % 2, images[20:], np.arange(10) % 2), strict=True))
    data = load_data(DataConfig(path=str(write_archive(tmp_path / "x.npz", **members)), validation=0.2), None, seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 10)
    assert data.test.samples[:, 0].tolist() == images[20:].tolist()
    assert (data.test.labels is None) == ("a" in names)


def test_a_test_part_is_cut_from_training_if_there_is_none(tmp_path: Path) -> None:
    images = random_images(30)
    path = write_archive(tmp_path / "x.npz", training=images[:20], validation=images[20:])
    data = load_data(DataConfig(path=str(path), test=0.25), None, seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (15, 10, 5)


def test_training_images_that_a_held_out_part_has_too_are_dropped(tmp_path: Path) -> None:
    images = random_images(30)
    path = write_archive(
        tmp_path / "x.npz", train_images=images[:24], val_images=images[20:27], test_images=images[26:]
    )
    data = load_data(DataConfig(path=str(path)), None, seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 6, 4)
    assert data.findings.dropped == 5  # 20 to 23 of the training part, 26 of the validation part


def test_a_named_member_is_the_only_one_that_is_read(tmp_path: Path) -> None:
    images = random_images(30)
    path = write_archive(tmp_path / "x.npz", train_images=images[:20], test_images=images[20:], label=np.arange(20) % 2)
    data = load_data(DataConfig(path=str(path), samples="train_images", label="label"), None, seed=0)
    assert data.findings.rows == 20
    assert data.findings.notes["left out"] == "test_images"
    assert data.classes == ("0", "1")


def test_labels_of_parts_are_found_by_the_name_of_one(tmp_path: Path) -> None:
    members = {f"{part}_{name}": random_images(10) for part in ("train", "test") for name in ("images", "masks")}
    members["train_images"] = random_images(20)[10:]
    members |= {"train_kind": np.arange(10) % 2, "test_kind": np.arange(10) % 2, "train_y": np.zeros(10)}
    path = str(write_archive(tmp_path / "x.npz", **members))
    for label in ("train_kind", "kind"):
        assert load_data(DataConfig(path=path, label=label), None, seed=0).findings.class_counts == {"0": 10, "1": 10}
    with pytest.raises(DataError, match='no member "colour" among'):
        load_data(DataConfig(path=path, label="colour"), None, seed=0)
    assert load_data(DataConfig(path=path), None, seed=0).classes == ()  # fractions are no labels


def test_a_member_is_read_only_as_what_its_name_says(tmp_path: Path) -> None:
    images = random_images(30)
    for members in ({"test_images": images, "val_images": images}, {"train_images": images, "train_data": images}):
        with pytest.raises(DataError, match="--samples must name the member"):
            read_npz(write_archive(tmp_path / "x.npz", **members), None, None)
