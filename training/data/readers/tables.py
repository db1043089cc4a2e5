"""Readers of CSV and Parquet tables: numeric columns, and one column of labels."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from training.data.source import Source
from training.data.storage import describe_unstorable, exact_dtype, first_unstorable, widened
from training.errors import DataError

CSV_BLOCK_BYTES = 16 * 2**20
"""Bytes of a CSV file that are parsed at a time; a row must fit."""

NUMBER = re.compile(r"\s*-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
MISSING_VALUES = frozenset(pyarrow.csv.ConvertOptions().null_values)
"""Texts that stand for a missing number in a CSV file: the empty text, NA, NaN, null and the like."""

PlaceOfRow = Callable[[int], str]
"""A function that names the place of a row, counted from 0, in one column, for messages."""


def read_csv(path: Path, label: str | None) -> Source:
    """Read a file with commas and the columns' names in its first row. Raises DataError."""
    # one thread, so that errors name the row; a path, so that Arrow's threads hold no Python object at exit
    options = pyarrow.csv.ReadOptions(use_threads=False, block_size=CSV_BLOCK_BYTES)
    try:
        table = pyarrow.csv.read_csv(str(path), read_options=options)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as CSV: {_one_line(error)}") from error
    names = table.column_names
    if all(NUMBER.fullmatch(name) for name in names) and names != [str(n) for n in range(len(names))]:
        raise DataError(f"{path}: expected the columns' names in the first row, got numbers: {', '.join(names[:3])}")
    return _source(path, table.schema, table.num_rows, lambda name: table.column(name), label)


def read_parquet(path: Path, label: str | None) -> Source:
    """Read a file column by column, so that its numbers are never in memory twice. Raises DataError."""
    try:
        with pyarrow.parquet.ParquetFile(str(path)) as file:
            rows = file.metadata.num_rows
            return _source(path, file.schema_arrow, rows, lambda name: file.read([name]).column(name), label)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {_one_line(error)}") from error


def _source(path: Path, schema: pa.Schema, rows: int, column: Callable[[str], Any], label: str | None) -> Source:
    names = schema.names
    if len(set(names)) < len(names):
        repeated = sorted(name for name in set(names) if names.count(name) > 1)
        raise DataError(f'{path}: two columns are called "{repeated[0]}"')
    if label is not None and label not in names:
        raise DataError(f'{path}: no column "{label}" among {", ".join(names)}')

    def dtype_of(name: str) -> np.dtype[Any]:
        kind = schema.field(name).type
        is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        return np.dtype(kind.to_pandas_dtype() if is_number else np.uint8 if pa.types.is_boolean(kind) else np.float64)

    def place_in(name: str) -> PlaceOfRow:
        return lambda row: f'{path}: row {row + 1}, column "{name}"'

    features = [name for name in names if name != label]
    samples = np.empty((rows, len(features)), exact_dtype([dtype_of(name) for name in features]))
    for index, name in enumerate(features):
        numbers = _numbers(column(name), path.suffix == ".csv", place_in(name))
        samples = widened(samples, numbers)
        samples[:, index] = numbers
    labels = None if label is None else _labels(column(label), place_in(label))
    return Source(str(path), samples, labels, kind="vector", feature_names=tuple(features), first_row=1)


def _numbers(column: Any, from_csv: bool, place: PlaceOfRow) -> npt.NDArray[Any]:
    """Return a column in its own type. Raises DataError for text, a missing number, and one that cannot be stored."""
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        column = pc.cast(column, pa.uint8() if pa.types.is_boolean(kind) else pa.float64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        row, problem = _first_text(column) if from_csv else (0, f"expected numbers, got the type {kind}")
        raise DataError(f"{place(row)}: {problem}")
    _refuse_missing(column, place)
    values: npt.NDArray[Any] = column.to_numpy()
    index = first_unstorable(values)
    if index:
        raise DataError(f"{place(index[0])}: {describe_unstorable(float(values[index]))}")
    return values


def _labels(column: Any, place: PlaceOfRow) -> npt.NDArray[Any]:
    """Return a column of text or numbers, (N,); text of any length becomes numpy's fixed-width text."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    kind = column.type
    _refuse_missing(column, place)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        text = np.array(column.to_pylist(), np.str_)
        if (text == "").any():
            raise DataError(f"{place(int((text == '').argmax()))}: missing value")
        return text
    if len(column) and not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DataError(f"{place(0)}: expected labels that are text or whole numbers, got the type {kind}")
    values: npt.NDArray[Any] = column.to_numpy()
    return values


def _refuse_missing(column: Any, place: PlaceOfRow) -> None:
    if column.null_count:
        raise DataError(f"{place(pc.index(pc.is_null(column), True).as_py())}: missing value")


def _first_text(column: Any) -> tuple[int, str]:
    """Return the first row of a CSV file's column that is not a number, counted from 0, and the problem."""
    for row, value in enumerate(column):
        text = str(value.as_py())
        if text in MISSING_VALUES or value.as_py() is None:
            return row, "missing value"
        if not NUMBER.fullmatch(text):
            return row, f'not a number: "{text}"'
    return 0, f"expected numbers, got the type {column.type}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
