"""Columns that only number or name the rows: features of the file, and not of what is in it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from training.data.tables.columns import Column

UNNAMED = re.compile(r"|Unnamed: \d+(_level_\d+)?|__index_level_\d+__")
"""Names of columns that programs write for an index without a name."""
INDEX_NAMES = re.compile(
    r"(?i:unnamed|index|idx|_?id|uid|uuid|guid|#|no\.?|nr\.?|level_0|row[ _.]?(id|num|number|name|names)?"
    r"|(record|sample|case)([ _.]?number)?)|.*([a-z]I[dD]|[ _.-][iI][dD])"
)
"""Names of columns that number or name the rows if each row has another value."""
MIN_COUNTED_ROWS = 10
"""Rows from which on a column of 0, 1, 2 is taken for a count of the rows, whatever its name is."""


def index_reason(name: str, column: Column) -> str | None:
    """Return why a column is an index by its name and its values; None if it is none."""
    if UNNAMED.fullmatch(name):
        return "empty and without a name" if column.kind == "empty" else "an index that was saved without a name"
    if INDEX_NAMES.fullmatch(name.strip()) and _all_differ(column):
        return "its name says that it numbers the rows, and all its values differ"
    return None


def counts_rows(column: Column) -> bool:
    """Return whether a column is 0, 1, 2 and so on, or 1, 2, 3, in the order of the rows."""
    numbers = column.numbers
    if column.kind != "numbers" or numbers is None or len(numbers) < 2 or column.missing.any():
        return False
    return numbers[0] in (0, 1) and bool((numbers == np.arange(len(numbers)) + int(numbers[0])).all())


def pandas_indices(metadata: Any) -> frozenset[str]:
    """Return the names of the columns that pandas marked as a Parquet file's index; none if it marked none."""
    try:
        document = json.loads((metadata or {})[b"pandas"])
        return frozenset(name for name in document["index_columns"] if isinstance(name, str))
    except (ValueError, KeyError, TypeError):
        return frozenset()


def _all_differ(column: Column) -> bool:
    if column.missing.any():
        return False
    if column.numbers is not None:
        is_whole = bool((np.floor(column.numbers) == column.numbers).all())
        return is_whole and len(np.unique(column.numbers)) == len(column.numbers)
    return column.text is not None and len(column.text.unique()) == len(column.text)
