"""Tests of the readers of CSV and Parquet files."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from app.inputs import VectorInput
from training.config import DataConfig
from training.data.dataset import DataSet
from training.data.load import load_data
from training.errors import DataError


def load_csv(folder: Path, text: str | bytes, **options: Any) -> DataSet:
    """Write a CSV file and load it."""
    (folder / "people.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_data(DataConfig(path=str(folder / "people.csv"), **options), None, seed=0)


def load_parquet(folder: Path, columns: dict[str, Any], **options: Any) -> DataSet:
    """Write a Parquet file and load it."""
    pyarrow.parquet.write_table(pa.table(columns), folder / "people.parquet")
    return load_data(DataConfig(path=str(folder / "people.parquet"), **options), None, seed=0)


def classes_by_row(data: DataSet) -> dict[tuple[float, ...], str]:
    """Return the class of each sample."""
    classes: dict[tuple[float, ...], str] = {}
    for part in (data.train, data.validation, data.test):
        labels = [""] * len(part) if part.labels is None else [data.classes[number] for number in part.labels]
        classes |= dict(zip(map(tuple, part.samples.tolist()), labels, strict=True))
    return classes


TABLE = "age,species,weight,tame\n3,cat,4.5,true\n9,dog,-20.25,false\n1,ape,1e2,true\n2,dog,.5,true\n"


def test_numeric_columns_are_samples_without_the_label_column(tmp_path: Path) -> None:
    data = load_csv(tmp_path, TABLE, label="species")
    assert isinstance(data.input, VectorInput)
    assert data.input.feature_names == ("age", "weight", "tame")
    assert data.input.value_range is None
    assert data.classes == ("ape", "cat", "dog")
    assert data.train.samples.dtype == np.float32
    assert classes_by_row(data) == {(3, 4.5, 1): "cat", (9, -20.25, 0): "dog", (1, 100, 1): "ape", (2, 0.5, 1): "dog"}
    assert data.findings.class_counts == {"ape": 1, "cat": 1, "dog": 2}


def test_a_byte_order_mark_and_windows_line_ends_are_ignored(tmp_path: Path) -> None:
    data = load_csv(tmp_path, b"\xef\xbb\xbf" + TABLE.replace("\n", "\r\n").encode(), label="species")
    assert len(classes_by_row(data)) == 4


def test_labels_of_whole_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    data = load_csv(tmp_path, "a,b,k\n1,2,10\n2,3,9\n3,4,10\n4,5,9\n", label="k")
    assert data.classes == ("9", "10")
    assert classes_by_row(data) == {(1, 2): "10", (2, 3): "9", (3, 4): "10", (4, 5): "9"}


def test_a_file_with_2000_columns_is_read(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).integers(-999, 999, (30, 2000))
    lines = [",".join(f"gene {n}" for n in range(2000)), *(",".join(map(str, row)) for row in numbers.tolist())]
    data = load_csv(tmp_path, "\n".join(lines))
    assert data.input.shape == (2000,)
    assert set(classes_by_row(data)) == {tuple(row) for row in numbers.astype(float).tolist()}
    assert "2000 numbers" in data.findings.describe()


def table_with(row: int, text: str) -> str:
    """Return a table of ten rows, one of which, counted from 1, is replaced."""
    lines = [f"{n},{n + 0.5},x" for n in range(10)]
    lines[row - 1] = text
    return "\n".join(["age,weight,kind", *lines])


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        (table_with(7, "abc,1,x"), {}, r'people\.csv: row 7, column "age": not a number: "abc"$'),
        (table_with(7, ",1,x"), {}, r'people\.csv: row 7, column "age": missing value$'),
        (table_with(7, "NaN,1,x"), {}, r'row 7, column "age": missing value'),
        (table_with(2, ",1,x").replace("3,3.5", "q,3.5"), {}, r'row 2, column "age": missing value'),
        (table_with(7, "1_0,1,x"), {}, r'row 7, column "age": not a number: "1_0"'),
        (table_with(7, "inf,1,x"), {}, r'row 7, column "age": infinite'),
        (table_with(7, "1e39,1,x"), {}, r'row 7, column "age": 1e\+39 is too large for float32'),
        (table_with(7, "1e400,1,x"), {}, r'row 7, column "age": infinite'),
        (table_with(7, "2020-01-01,1,x"), {}, r'row 7, column "age": not a number: "2020-01-01"'),
        (table_with(1, "1,2,x"), {"label": None}, r'row 1, column "kind": not a number: "x"'),
        (table_with(7, "1,2,"), {}, r'row 7, column "kind": missing value'),
        (table_with(7, "1,2"), {}, r"people\.csv: cannot be read as CSV: .*Row #8: Expected 3 columns, got 2"),
        (table_with(1, "1,2,x"), {"label": "species"}, r'people\.csv: no column "species" among age, weight, kind'),
        (table_with(1, "1,2,x"), {"kind": "image"}, "a table has no images"),
        (table_with(1, "1,2,x"), {"samples": "x"}, "--samples has no meaning"),
        (
            table_with(1, "1,99,x"),
            {"value_range": (0, 20)},
            r'row 1, column "weight": expected values from 0 to 20, got 99',
        ),
        ("age,age,kind\n1,2,x\n", {}, 'two columns are called "age"'),
        ("1,2,kind\n", {}, "expected at least one row, got none"),
        ("", {}, "the file is empty"),
        ("\n\n", {}, "cannot be read as CSV"),
        ("3.5,1\n2,1\n", {"label": None}, "expected the columns' names in the first row, got numbers: 3.5, 1"),
        ("a,kind\n1,x\n2,x\n", {}, "expected at least 2 columns of numbers, got 1"),
        ("a,b,kind\n1,2,x\n1,2,x\n1,2,y\n", {}, "all rows are the same"),
        ("a,b,kind\n1,2,x\n", {}, "expected at least 3 different rows"),
        (b"a,b,kind\n\xff,2,x\n", {}, r'row 1, column "a": not a number'),
    ],
)
def test_a_bad_csv_file_is_named_with_the_problem(
    tmp_path: Path, text: str | bytes, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        load_csv(tmp_path, text, **{"label": "kind", **options})
    assert str(tmp_path / "people.csv") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_columns_may_be_called_0_1_2(tmp_path: Path) -> None:
    data = load_csv(tmp_path, "0,1\n5,6\n7,8\n9,10\n")
    assert len(classes_by_row(data)) == 3


def test_a_constant_column_is_allowed_and_reported(tmp_path: Path) -> None:
    data = load_csv(tmp_path, "age,dose,b\n" + "\n".join(f"{n},2,{n}" for n in range(9)))
    assert data.findings.constant == ('"dose"',)
    assert '1 columns: "dose"' in data.findings.describe()


def test_every_numeric_type_of_parquet_is_read(tmp_path: Path) -> None:
    columns = {
        "i": pa.array([1, 2, 3, 4], pa.int16()),
        "u": pa.array([1, 2, 3, 4], pa.uint64()),
        "h": pa.array([0.5, 1, 2, 3], pa.float16()),
        "d": pa.array([0.25, 1, 2, 3], pa.float64()),
        "b": pa.array([True, False, True, False]),
        "m": pa.array([Decimal("1.25"), Decimal("2.00"), Decimal("3.00"), Decimal("4.00")]),
        "kind": pa.array(["b", "a", "b", "a"]).dictionary_encode(),
    }
    data = load_parquet(tmp_path, columns, label="kind")
    assert isinstance(data.input, VectorInput)
    assert data.input.feature_names == ("i", "u", "h", "d", "b", "m")
    assert classes_by_row(data) == {
        (1, 1, 0.5, 0.25, 1, 1.25): "b",
        (2, 2, 1, 1, 0, 2): "a",
        (3, 3, 2, 2, 1, 3): "b",
        (4, 4, 3, 3, 0, 4): "a",
    }


@pytest.mark.parametrize(
    ("column", "label", "complaint"),
    [
        (
            pa.array(["x", "y", "z", "x"]),
            None,
            r'people\.parquet: row 1, column "c": expected numbers, got the type string',
        ),
        (pa.array([1.0, None, 2.0, 3.0]), None, r'row 2, column "c": missing value'),
        (pa.array([1.0, 2.0, float("nan"), 3.0]), None, r'row 3, column "c": not a number \(NaN\)'),
        (pa.array([1.0, 2.0, 3.0, -1e300]), None, r'row 4, column "c": -1e\+300 is too large for float32'),
        (pa.array([None] * 4), None, r'row 1, column "c": missing value'),
        (pa.array([[1], [2], [3], [4]]), None, r'column "c": expected numbers, got the type list'),
        (pa.array([[1], [2], [3], [4]]), "c", r'column "c": expected labels that are text or whole numbers'),
        (pa.array(["x", None, "x", "y"]), "c", r'row 2, column "c": missing value'),
        (pa.array([1.0, 2.5, 2.0, 1.0]), "c", "row 2: expected a label that is text or a whole number, got 2.5"),
        (pa.array([1, 2, 3, 4]), "d", 'no column "d" among a, b, c'),
    ],
)
def test_a_bad_parquet_file_is_named_with_the_problem(
    tmp_path: Path, column: pa.Array, label: str | None, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        load_parquet(tmp_path, {"a": [1, 2, 3, 4], "b": [4, 3, 2, 0], "c": column}, label=label)
    assert "people.parquet" in str(caught.value)


def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"x\.parquet: cannot be read as Parquet") as caught:
        load_data(DataConfig(path="x.parquet"), tmp_path, seed=0)
    assert "\n" not in str(caught.value)
