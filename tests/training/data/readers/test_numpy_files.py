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


@pytest.mark.parametrize("content", [b"hello", b"\x93NUMPY\x01\x00"])
def test_a_broken_npy_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot be read as a \.npy file") as caught:
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
        ({}, "data.samples must name the member that holds the samples; there are a, b, few, pickled"),
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
