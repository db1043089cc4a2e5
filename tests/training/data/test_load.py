"""Tests of finding a data set and choosing its reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.training_data import load_array, random_images, rows_of_parts
from training.config import DataConfig
from training.data.load import find_path, is_table, load_data
from training.errors import DataError


def test_a_path_is_looked_up_as_it_is_then_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    np.save(tmp_path / "x.npy", random_images())
    assert load_data(DataConfig(path="x.npy"), tmp_path, seed=0).input.shape == (1, 9, 8)
    np.save("x.npy", random_images(20, 4))
    assert load_data(DataConfig(path="x.npy"), tmp_path, seed=0).input.shape == (4,)


def test_a_missing_path_is_named_with_the_places_searched(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file or folder: y\.npy or .*y\.npy"):
        find_path("y.npy", tmp_path)
    with pytest.raises(DataError, match=r"no such file or folder: y\.npy$"):
        find_path("y.npy", None)


def test_a_configuration_without_data_names_the_option() -> None:
    with pytest.raises(DataError, match="--data PATH"):
        load_data(DataConfig(), None, seed=0)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("x.npy", b"", "the file is empty"),
        ("x.tiff", b"II*\x00", "expected a .npy, .npz, .csv, .tsv, .txt, .parquet or IDX file, or a folder of images"),
    ],
)
def test_empty_and_unknown_files_are_named(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        load_data(DataConfig(path=name), tmp_path, seed=0)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"label": "y"}, r"stack\.npy: --label has no meaning for this kind of data"),
        ({"image_size": (8, 8)}, r"stack\.npy: --image-size has no meaning"),
        ({"colour": "rgb"}, r"stack\.npy: --set data\.colour has no meaning"),
        ({"parts": "none"}, r"stack\.npy: --set data\.parts has no meaning"),
    ],
)
def test_options_without_an_effect_are_refused(tmp_path: Path, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        load_array(tmp_path, random_images(), **options)


@pytest.mark.parametrize(("name", "expected"), [("faces.npy", "faces"), ("a.b.npy", "a.b")])
def test_a_data_set_has_the_name_of_its_file(tmp_path: Path, name: str, expected: str) -> None:
    np.save(tmp_path / name, random_images())
    assert load_data(DataConfig(path=name), tmp_path, seed=0).name == expected


def test_another_file_may_be_the_test_part(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n".join(["x,y", *(f"{n},{n * n}" for n in range(20))]))
    (tmp_path / "b.csv").write_text("y,x,note\n-1,101,u\n-2,102,v\n9,3,w\n")
    data = load_data(DataConfig(path="a.csv", test_path="b.csv", validation=0.25), tmp_path, seed=0)
    assert data.test.samples.tolist() == [[101, -1], [102, -2], [3, 9]]
    assert (len(data.train), len(data.validation), data.findings.dropped) == (14, 5, 1)  # 3, 9 is a test row


@pytest.mark.parametrize(
    ("test_path", "complaint"),
    [
        ("c.csv", r'c\.csv: no column "y" among x, w'),
        ("0.2", r"--test names a file or a folder; --set data\.test=0\.2 is the share of rows"),
        ("e.csv", r"no such file or folder: e\.csv"),
        ("parts.npz", "have parts of their own already; leave out --test"),
    ],
)
def test_a_test_part_that_does_not_fit_is_refused(tmp_path: Path, test_path: str, complaint: str) -> None:
    (tmp_path / "a.csv").write_text("\n".join(["x,y", *(f"{n},{n * n}" for n in range(20))]))
    (tmp_path / "c.csv").write_text("x,w\n1,2\n")
    np.savez(tmp_path / "parts.npz", train=np.eye(4), test=np.eye(4))
    with pytest.raises(DataError, match=complaint):
        load_data(DataConfig(path="a.csv", test_path=test_path), tmp_path, seed=0)


def test_a_named_data_set_has_its_own_test_part(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="digits: the data have a test part of their own; leave out --test"):
        load_data(DataConfig(name="digits", test_path="x.npy"), tmp_path, seed=0)


def test_the_digits_never_change() -> None:
    digits = load_data(DataConfig(name="digits", validation=0.05), None, seed=0)
    assert sum(map(len, rows_of_parts(digits))) == len(set.union(*rows_of_parts(digits))) == 1797
    assert digits.input.value_range is not None
    assert digits.input.value_range.high == digits.train.samples.max() == 16
    assert digits.classes == tuple("0123456789")
    assert digits.fingerprint() == "60658d212e9f685e7f8c47b622c81681456c71b69410cfccce125a8f8981f442"


def test_tables_are_known_by_their_suffix() -> None:
    names = ["a.csv", "a.TSV.gz", "a.parquet", "a.pq", "a.npz", "a"]
    assert [is_table(Path(name)) for name in names] == [True, True, True, True, False, False]
