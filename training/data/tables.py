"""CSV and Parquet: numeric columns, and one of labels."""

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

from training.data.dataset import Array
from training.data.source import Source
from training.data.survey import complaint, first_unstorable
from training.errors import DataError

BLOCK = 16 * 2**20
"""Bytes of a CSV file that are parsed together; a row must fit."""

NUMBER = re.compile(r"\s*-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
MISSING = frozenset(pyarrow.csv.ConvertOptions().null_values)
"""What stands for a missing number in a CSV file: nothing, NA, NaN, null and their like."""

Where = Callable[[int], str]


def read_csv(path: Path, label: str | None) -> Source:
    """Commas, and a first row with the columns' names. Raises DataError."""
    # one thread, so that rows are counted in errors; a path, since Arrow's threads hold no Python object at exit then
    options = pyarrow.csv.ReadOptions(use_threads=False, block_size=BLOCK)
    try:
        table = pyarrow.csv.read_csv(str(path), read_options=options)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as CSV: {_one_line(error)}") from error
    names = table.column_names
    if all(NUMBER.fullmatch(name) for name in names) and names != [str(n) for n in range(len(names))]:
        raise DataError(f"{path}: expected the columns' names in the first row, got numbers: {', '.join(names[:3])}")
    return _source(path, names, table.num_rows, lambda name: table.column(name), label)


def read_parquet(path: Path, label: str | None) -> Source:
    """Read column by column, so that the file's numbers are never in memory twice. Raises DataError."""
    try:
        with pyarrow.parquet.ParquetFile(str(path)) as file:
            names = file.schema_arrow.names
            return _source(path, names, file.metadata.num_rows, lambda name: file.read([name]).column(name), label)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {_one_line(error)}") from error


def _source(path: Path, names: list[str], rows: int, column: Callable[[str], Any], label: str | None) -> Source:
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f'{path}: two columns are called "{twice[0]}"')
    if label is not None and label not in names:
        raise DataError(f'{path}: no column "{label}" among {", ".join(names)}')

    def where(name: str) -> Where:
        return lambda row: f'{path}: row {row + 1}, column "{name}"'

    features = [name for name in names if name != label]
    samples = np.empty((rows, len(features)), np.float32)
    for index, name in enumerate(features):
        samples[:, index] = _numbers(column(name), path.suffix == ".csv", where(name))
    labels = None if label is None else _labels(column(label), where(label))
    return Source(str(path), samples, labels, kind="vector", feature_names=tuple(features), first_row=1)


def _numbers(column: Any, from_csv: bool, where: Where) -> Array:
    """A column as float32. Raises DataError for text, and for a number that is missing or cannot be stored."""
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        column = pc.cast(column, pa.uint8() if pa.types.is_boolean(kind) else pa.float64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        row, problem = _first_text(column) if from_csv else (0, f"expected numbers, got the type {kind}")
        raise DataError(f"{where(row)}: {problem}")
    _refuse_missing(column, where)
    values: npt.NDArray[Any] = column.to_numpy()
    place = first_unstorable(values)
    if place:
        raise DataError(f"{where(place[0])}: {complaint(float(values[place]))}")
    return values.astype(np.float32)


def _labels(column: Any, where: Where) -> npt.NDArray[Any]:
    """A column of text or numbers, (N,); text of any length as numpy's fixed-width text."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    kind = column.type
    _refuse_missing(column, where)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        text = np.array(column.to_pylist(), np.str_)
        if (text == "").any():
            raise DataError(f"{where(int((text == '').argmax()))}: missing value")
        return text
    if len(column) and not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DataError(f"{where(0)}: expected labels that are text or whole numbers, got the type {kind}")
    values: npt.NDArray[Any] = column.to_numpy()
    return values


def _refuse_missing(column: Any, where: Where) -> None:
    if column.null_count:
        raise DataError(f"{where(pc.index(pc.is_null(column), True).as_py())}: missing value")


def _first_text(column: Any) -> tuple[int, str]:
    """The first row of a CSV file's column that is not a number, and what it is."""
    for row, value in enumerate(column):
        text = str(value.as_py())
        if text in MISSING or value.as_py() is None:
            return row, "missing value"
        if not NUMBER.fullmatch(text):
            return row, f'not a number: "{text}"'
    return 0, f"expected numbers, got the type {column.type}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
