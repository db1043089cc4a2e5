"""Tests of the reader of IDX files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from app.inputs import VectorInput
from tests.helpers.training_data import idx_file
from training.config import DataConfig
from training.data.load import load_data
from training.data.readers.idx import is_idx, read_idx
from training.errors import DataError


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not an IDX file"),
        (b"\x00\x00\x0a\x01\x00\x00\x00\x01\x00", "not an IDX file"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00\x00\x00", r"expected 1 values for \(1,\), got 0\.75"),
        (b"\x00\x00\x08\x03\x00\x00", "header is cut short"),
        (idx_file(np.zeros((3, 2, 2), np.uint8))[:-1], r"expected 12 values for \(3, 2, 2\), got 11"),
        (idx_file(np.zeros((3, 2, 2), np.uint8)) + b"x", "got 13"),
        (gzip.compress(idx_file(np.zeros(3, np.uint8)), mtime=0)[:-6], "cannot be read"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 2**31), "got 0"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("code", "packing", "numbers"),
    [
        (0x08, "B", [0, 255]),
        (0x09, "b", [-128, 127]),
        (0x0B, "h", [-300, 300]),
        (0x0C, "i", [-70000, 70000]),
        (0x0D, "f", [-0.5, 1.5]),
        (0x0E, "d", [-0.25, 1e30]),
    ],
)
def test_every_type_of_number_is_read(tmp_path: Path, code: int, packing: str, numbers: list[float]) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(struct.pack(">BBBBI", 0, 0, code, 1, 2) + struct.pack(f">2{packing}", *numbers))
    assert read_idx(path).tolist() == numbers


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_labels_may_be_in_another_file_of_the_folder(tmp_path: Path, suffix: str) -> None:
    matrix = struct.pack(">BBBB2I", 0, 0, 0x0B, 2, 12, 2) + struct.pack(">24h", *range(24))
    (tmp_path / f"rows.bin{suffix}").write_bytes(gzip.compress(matrix, mtime=0) if suffix else matrix)
    (tmp_path / "kinds.idx").write_bytes(idx_file(np.array([4, 2] * 6, np.uint8)))
    data = load_data(DataConfig(path=f"rows.bin{suffix}", label="kinds.idx", kind="vector"), tmp_path, seed=0)
    assert isinstance(data.input, VectorInput)
    assert data.input.shape == (2,)
    assert data.classes == ("2", "4")
    assert data.train.samples.dtype == np.int16
    for split in (data.train, data.validation, data.test):
        assert split.labels is not None
        assert split.labels.tolist() == [1 - row[0] // 2 % 2 for row in split.samples.tolist()]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("images-idx3-ubyte", b"", True),
        ("rows.bin", idx_file(np.zeros(3, np.uint8)), True),
        ("rows.bin", gzip.compress(idx_file(np.zeros(3, np.uint8)), mtime=0), True),
        ("rows.bin", b"\0\0\x07\x01", False),
        ("rows.bin", b"\0\0\x08", False),
        ("rows.bin", b"\x1f\x8bxx", False),
    ],
)
def test_idx_files_are_recognised_by_name_or_first_bytes(
    tmp_path: Path, name: str, content: bytes, expected: bool
) -> None:
    (tmp_path / name).write_bytes(content)
    assert is_idx(tmp_path / name) == expected
