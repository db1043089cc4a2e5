"""Tests of the readers of CSV and Parquet files."""

from __future__ import annotations

import gzip
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
        (table_with(7, "abc,1,x"), {}, r'people\.csv: row 7, column "age": not a number: "abc"; --drop age leaves'),
        (
            table_with(7, ",1,x"),
            {},
            r'people\.csv: row 7, column "age": missing value; 1 value: age 1; --missing drop leaves out 1 of 10 rows',
        ),
        (table_with(7, "NaN,1,x"), {}, r'row 7, column "age": missing value'),
        (table_with(2, ",1,x").replace("3,3.5", "q,3.5"), {}, r'row 4, column "age": not a number: "q"'),
        (table_with(7, "1_0,1,x"), {}, r'row 7, column "age": not a number: "1_0"'),
        (table_with(7, "inf,1,x"), {}, r'row 7, column "age": infinite'),
        (table_with(7, "1e39,1,x"), {}, r'row 7, column "age": 1e\+39 is too large for float32'),
        (table_with(7, "1e400,1,x"), {}, r'row 7, column "age": infinite'),
        (table_with(7, "2020-01-01,1,x"), {}, r'row 7, column "age": not a number: "2020-01-01"'),
        (table_with(1, "1,2,x"), {"label": None}, r'1 column is not numbers: "kind" \(the same text'),
        (table_with(7, "1,2,"), {}, r'row 7, column "kind": missing value'),
        (
            table_with(7, "1,2"),
            {},
            r"people\.csv: cannot be read as CSV: row 7: expected 3 fields as in the header, got 2",
        ),
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
        (b"a,b,kind\n\xff,2,x\n", {}, r'"a" \(the same text wherever there is any, "ÿ"\)'),
        (table_with(7, '7,8,"x'), {}, "row 7: a quotation mark is opened, but never closed"),
        (b"a,b,kind\n1,\0,x\n", {}, "line 2: a NUL byte"),
        ("a;b\n1;2\n", {"label": None, "separator": "|"}, r'got 1, "a;b"; no separator that is known splits it'),
        ("a;b\n1,234;5\n2,345;7\n", {"label": None}, 'column "a": a comma may be a decimal sign or separate thou'),
        ("id,kind\n1,x\n2,x\n", {}, 'no columns are left: "id"'),
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
            r'people\.parquet: 1 column is not numbers: "c" \(text of 3 different values',
        ),
        (pa.array([1.0, None, 2.0, 3.0]), None, r'row 2, column "c": missing value'),
        (pa.array([1.0, 2.0, float("nan"), 3.0]), None, r'row 3, column "c": missing value; 1 value: c 1'),
        (pa.array([1.0, 2.0, 3.0, -1e300]), None, r'row 4, column "c": -1e\+300 is too large for float32'),
        (pa.array([None] * 4), None, r'row 1, column "c": missing value'),
        (pa.array([[1], [2], [3], [4]]), None, r'"c" \(values of the type list'),
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


ROWS = [(0.5, 1, "rot"), (0.25, 4, "grün"), (0.75, 9, "rot"), (1.5, 16, "grün")]


def spelled(header: str, row: str, comma: bool = False) -> str:
    """Return a table of ROWS, each in this form."""
    lines = [header, *(row.format(a, b, c) for a, b, c in ROWS)]
    return "\n".join([lines[0], *(line.replace(".", ",") if comma else line for line in lines[1:])]) + "\n"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (spelled("größe,b,k", "{},{},{}").encode("latin-1"), {}),
        (spelled("größe;b;k", "{};{};{}", comma=True).encode("latin-1"), {}),
        (spelled("größe\tb\tk", "{}\t{}\t{}").encode("utf-16"), {}),
        (spelled("größe|b|k", "{}|{}|{}"), {}),
        (spelled('"größe", "b", "k"', "{}, {}, {}"), {}),
        (spelled("größe b k", "  {}   {} {}"), {}),
        (spelled("# by hand\ngröße,b,k", "{},{},{}") + "# end\n", {}),
        (spelled("sep=;\ngröße;b;k", "{};{};{}", comma=True), {}),
        (spelled(";größe;b;k", "x;{};{};{}", comma=True), {}),
        (spelled("größe:b:k", "{}:{}:{}"), {"separator": ":"}),
        (spelled("b,k,größe", "{1},{2},{0}"), {"columns": ("größe", "b")}),
        (spelled("größe,note,b,k", "{},free text,{},{}"), {"drop": ("note",)}),
        (spelled("größe,b,k", "{},{},{}").replace(".5", ",5").replace("0,5", '"0,5"').replace("1,5", '"1,5"')
         .replace("0.25", '"0,25"').replace("0.75", '"0,75"'), {}),
    ],
)  # fmt: skip
def test_a_table_means_the_same_in_every_dialect(tmp_path: Path, text: str | bytes, options: dict[str, Any]) -> None:
    data = load_csv(tmp_path, text, label="k", **options)
    assert isinstance(data.input, VectorInput)
    assert data.input.feature_names == ("größe", "b")
    assert classes_by_row(data) == {(a, b): label for a, b, label in ROWS}


@pytest.mark.parametrize("name", ["t.csv.gz", "t.tsv", "t.txt", "t.tsv.gz", "t.dat"])
def test_tables_have_many_suffixes(tmp_path: Path, name: str) -> None:
    text = b"a\tb\n1\t2\n3\t5\n4\t7\n"
    (tmp_path / name).write_bytes(gzip.compress(text, mtime=0) if name.endswith(".gz") else text)
    data = load_data(DataConfig(path=name), tmp_path, seed=0)
    assert set(classes_by_row(data)) == {(1, 2), (3, 5), (4, 7)}
    assert data.findings.notes["format"] == "separator tab"
    assert data.name == "t"


def test_a_saved_index_is_left_out_and_named(tmp_path: Path) -> None:
    text = "Unnamed: 0,a,b\n" + "".join(f"{n},{n % 5},{n * n}\n" for n in range(20))
    data = load_csv(tmp_path, text)
    assert isinstance(data.input, VectorInput)
    assert data.input.feature_names == ("a", "b")
    assert data.findings.notes["left out"] == (
        '"Unnamed: 0" (an index that was saved without a name); --columns keeps the columns that it names'
    )
    kept = load_csv(tmp_path, text, columns=("Unnamed: 0", "b"))
    assert isinstance(kept.input, VectorInput)
    assert kept.input.feature_names == ("Unnamed: 0", "b")


def test_a_short_count_of_the_rows_stays_and_is_named(tmp_path: Path) -> None:
    data = load_csv(tmp_path, "a,b\n5,1\n3,2\n8,3\n")
    assert data.input.shape == (2,)
    assert data.findings.notes["row numbers"] == '"b" may only count the rows: --drop leaves it out'


def test_the_index_that_pandas_marked_is_left_out(tmp_path: Path) -> None:
    table = pa.table({"a": [1.0, 2, 4, 8], "b": [3, 1, 2, 0], "patient": [7, 7, 8, 9]})
    metadata = {b"pandas": b'{"index_columns": ["patient"], "columns": []}'}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / "p.parquet")
    data = load_data(DataConfig(path="p.parquet"), tmp_path, seed=0)
    assert isinstance(data.input, VectorInput)
    assert data.input.feature_names == ("a", "b")
    assert "the file marks it as its index" in data.findings.notes["left out"]


def test_missing_values_are_filled_with_medians_that_the_manifest_keeps(tmp_path: Path) -> None:
    rows = [f"{n % 7},{'' if n % 4 == 0 else n},{'' if n == 5 else 'xy'[n % 2]}" for n in range(40)]
    data = load_csv(tmp_path, "a,b,c\n" + "\n".join(rows), missing="median", one_hot=True)
    assert isinstance(data.input, VectorInput)
    assert data.input.feature_names == ("a", "b", "c=x", "c=y")
    assert data.input.one_hot == {"c": ("x", "y")}
    known = [n for n in range(40) if n % 4]
    assert data.input.fill[1] in (np.median(known), *known)
    filled = data.train.samples[:, 1][~np.isin(data.train.samples[:, 1], known)]
    assert set(filled.tolist()) <= {data.input.fill[1]}
    assert data.findings.notes["missing"] == "11 values: b 10, c 1; filled with the medians of the training part"
    assert "missing     11 values" in data.findings.describe()


def test_rows_with_missing_values_are_dropped_and_counted(tmp_path: Path) -> None:
    data = load_csv(tmp_path, "a,b,y\n1,2,u\n3,,v\n5,6,\n7,8,v\n9,1,u\n", missing="drop", label="y")
    assert classes_by_row(data) == {(1, 2): "u", (7, 8): "v", (9, 1): "u"}
    assert data.findings.notes["missing"] == "1 value: b 1; 2 of 5 rows left out"
    assert isinstance(data.input, VectorInput)
    assert data.input.fill == ()


def test_yes_and_no_are_1_and_0(tmp_path: Path) -> None:
    data = load_csv(tmp_path, "a,tame,fast\n1,yes,T\n2,no,F\n3,yes,F\n")
    assert set(classes_by_row(data)) == {(1, 1, 1), (2, 0, 0), (3, 1, 0)}
    assert data.findings.notes["booleans"] == "tame, fast as 0 and 1"
    assert isinstance(data.input, VectorInput)
    assert data.input.booleans == {"tame": ("no", "yes"), "fast": ("f", "t")}


def test_a_row_of_any_length_is_read(tmp_path: Path) -> None:
    text = "a,b,c\n" + "".join(f"{n},{n * n},{'x' * 5_000_000 if n == 3 else 'y'}\n" for n in range(9))
    assert load_csv(tmp_path, text, drop=("c",)).input.shape == (2,)


def test_a_damaged_parquet_file_ends_in_one_sentence(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"a": np.arange(50.0), "b": np.arange(50)}), tmp_path / "good.parquet")
    good = (tmp_path / "good.parquet").read_bytes()
    for seed in range(40):
        random = np.random.default_rng(seed)
        damaged = np.frombuffer(good, np.uint8).copy()
        damaged[random.integers(0, len(good), 5)] = random.integers(0, 256, 5)
        (tmp_path / "x.parquet").write_bytes(damaged.tobytes())
        try:
            load_data(DataConfig(path="x.parquet"), tmp_path, seed=0)
        except DataError as error:
            assert "\n" not in str(error)
