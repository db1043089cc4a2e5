"""The readers of tables in text files and Parquet files: columns of numbers, and one column of labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from training.config import TableOptions
from training.data.source import Source
from training.data.tables.assembly import build_features, make_source, notes_of, settle_missing
from training.data.tables.columns import Column, read_column, settle_decimals, shortened
from training.data.tables.dialect import SEPARATOR_NAMES, TextTable, read_dialect
from training.data.tables.indices import pandas_indices
from training.data.tables.selection import candidates, leave_out_indices, listed, quoted
from training.data.tables.text import is_text_table, read_text
from training.errors import DataError

MAX_BLOCK_BYTES = 2**30
"""Bytes of a text file that are parsed at a time; a row must fit."""
WRONG_FIELDS = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+): (.*)", re.DOTALL)
"""Arrow's message about a row of another length."""


class FileColumns(NamedTuple):
    """The columns of a file, before they are read."""

    origin: str
    names: Sequence[str]
    column: Callable[[int], Any]
    """Returns the Arrow column at an index."""
    marked: frozenset[str] = frozenset()
    """The columns that the file marks as its index."""
    text: TextTable | None = None
    notes: tuple[str, ...] = ()


def read_csv(path: Path, label: str | None, options: TableOptions | None = None) -> Source:
    """Read a text file with the columns' names in its first row. Raises DataError."""
    options = options or TableOptions()
    content, encoding = read_text(path, options.encoding)
    text = read_dialect(path, content, options.separator, options.header)
    table = _parse(path, text)
    notes = tuple(note for note in (*text.notes, encoding) if note)
    return _source(FileColumns(str(path), text.names, table.column, text=text, notes=notes), label, options)


def read_parquet(path: Path, label: str | None, options: TableOptions | None = None) -> Source:
    """Read the columns of a Parquet file that are wanted. Raises DataError."""
    try:
        with pyarrow.parquet.ParquetFile(str(path)) as file:
            schema = file.schema_arrow

            def column(index: int) -> Any:
                names = [schema.names[index]]
                return file.read(names).column(names[0])

            columns = FileColumns(str(path), schema.names, column, pandas_indices(schema.metadata))
            return _source(columns, label, options or TableOptions())
    except (pa.ArrowException, OSError, ValueError, KeyError, UnicodeError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {_one_line(error)}") from error


def column_names(path: Path, options: TableOptions) -> tuple[str, ...]:
    """Return the names of all columns of a text file or a Parquet file. Raises DataError."""
    if is_text_table(path):
        content, _ = read_text(path, options.encoding)
        return tuple(read_dialect(path, content, options.separator, options.header).names)
    try:
        return tuple(pyarrow.parquet.read_schema(str(path)).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {_one_line(error)}") from error


def _parse(path: Path, text: TextTable) -> Any:
    """Return an Arrow table in which all columns are text. Raises DataError."""
    places = [str(n) for n in range(len(text.names))]  # names may be empty or repeated
    if not text.body.strip():
        return pa.table({place: pa.array([], pa.string()) for place in places})
    # one thread, so that errors name the row; a buffer, so that Arrow's threads hold no Python object at exit
    block = min(len(text.body) + 1, MAX_BLOCK_BYTES)
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text.body),
            pyarrow.csv.ReadOptions(use_threads=False, block_size=block, column_names=places),
            pyarrow.csv.ParseOptions(delimiter=text.separator, newlines_in_values=True),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(places, pa.string())),
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(_explain(path, text, error)) from error
    if text.body.count(b'"') % 2 and any("\n" in (column[-1].as_py() or "") for column in table.columns):
        raise DataError(f"{path}: row {table.num_rows}: a quotation mark is opened, but never closed")
    return table


def _explain(path: Path, text: TextTable, error: Exception) -> str:
    """Return the sentence for an error of Arrow's parser."""
    found = WRONG_FIELDS.search(str(error))
    if not found:
        return f"{path}: cannot be read as CSV: {_one_line(error)}"
    row, expected, got, line = found.groups()
    name = SEPARATOR_NAMES.get(text.separator, text.separator)
    return (
        f"{path}: cannot be read as CSV: row {row}: expected {expected} fields as in the header, got {got}, "
        f'in "{" ".join(line.split())[:60]}"; the separator is "{name}" (--separator names another)'
    )


def _source(file: FileColumns, label: str | None, options: TableOptions) -> Source:
    if len(file.names) == 1:
        hint = "" if file.text is None else "; no separator that is known splits it, but --separator names another"
        raise DataError(
            f"{file.origin}: expected at least 2 columns of numbers, got 1, {shortened(file.names[0])}{hint}"
        )
    names = candidates(file.origin, file.names, options, label)
    columns = {name: read_column(file.column(file.names.index(name)), options.decimal) for name in names}
    notes = {"format": listed(file.notes)}
    if file.text is not None:
        notes["format"] = _settle_text(file, columns, options)
    reasons, counting = leave_out_indices(columns, options, file.marked)
    notes["left out"] = listed([f"{quoted(name)} ({reason})" for name, reason in reasons.items()])
    if reasons:
        notes["left out"] += "; --columns keeps the columns that it names"
    if counting:
        notes["row numbers"] = f"{listed([quoted(n) for n in counting])} may only count the rows: --drop leaves it out"
    labels, label_missing = (None, None) if label is None else _labels(file, label, options)
    if not columns:
        raise DataError(f"{file.origin}: no columns are left: {notes['left out'] or 'all are left out'}")
    if not len(next(iter(columns.values())).missing):
        raise DataError(f"{file.origin}: expected at least one row, got none")
    features = build_features(file.origin, columns, options)
    keep, notes["missing"] = settle_missing(file.origin, columns, options, label_missing)
    source = make_source(file.origin, features, keep, labels, notes | notes_of(features, columns))
    if options.columns is None:
        return source
    return replace(source, further_columns=tuple(name for name in file.names if name not in (*names, label)))


def _settle_text(file: FileColumns, columns: dict[str, Column], options: TableOptions) -> str:
    """Convert numbers in other notations, and return the note about the file's dialect. Raises DataError."""
    assert file.text is not None
    notes = file.notes
    if options.decimal is None:
        decimal, undecided = settle_decimals(columns, file.text.separator)
        if undecided is not None:
            raise DataError(
                f'{file.origin}: column "{undecided}": a comma may be a decimal sign or separate thousands: '
                "say --decimal , or --decimal ."
            )
        if decimal == ",":
            notes = (*notes, "decimal comma")
    return listed(notes)


def _labels(file: FileColumns, label: str, options: TableOptions) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return a column of text or numbers, (N,), and the mask of rows without a label. Raises DataError."""
    column = read_column(file.column(file.names.index(label)), options.decimal)
    if column.missing.any() and options.missing != "drop":
        row = int(column.missing.argmax()) + 1
        count = int(np.count_nonzero(column.missing))
        raise DataError(
            f'{file.origin}: row {row}, column "{label}": missing value, one of {count} among the labels; '
            "--missing drop leaves such rows out"
        )
    if column.text is not None and column.kind != "numbers":
        return np.array(column.text.fill_null("").to_pylist(), np.str_), column.missing
    if column.numbers is None:
        if len(column.missing) == 0:
            return np.empty(0, np.int64), column.missing
        raise DataError(
            f'{file.origin}: row 1, column "{label}": expected labels that are text or whole numbers, '
            f"got {column.problem}"
        )
    numbers = column.numbers.astype(bool) if column.kind == "booleans" else column.numbers
    return numbers, column.missing


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
