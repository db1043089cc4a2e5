"""Columns that only number the rows are known by their names, by the file's own word, and by their values."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from training.data.tables.columns import Column, read_column
from training.data.tables.indices import counts_rows, index_reason, pandas_indices


def column(*values: object) -> Column:
    """Return a column of these values."""
    return read_column(pa.chunked_array([pa.array(values)]))


@pytest.mark.parametrize(
    ("name", "values", "is_index"),
    [
        ("Unnamed: 0", (5, 7, 5), True),
        ("", (5, 7, 5), True),
        ("Unnamed: 0_level_0", ("x", "y", "z"), True),
        ("__index_level_0__", (1.5, 2.5, 2.5), True),
        ("index", (9, 7, 8), True),
        ("ID", ("x1", "x2", "x3"), True),
        ("row_names", ("a", "b", "c"), True),
        ("uuid", ("a", "b", "c"), True),
        ("customer_id", (12, 7, 99), True),
        ("PassengerId", (3, 1, 2), True),
        ("Patient ID", ("p1", "p2", "p3"), True),
        ("customer_id", (12, 7, 7), False),
        ("acid", (3, 1, 2), False),
        ("humid", (3, 1, 2), False),
        ("id", (1, 1, 2), False),
        ("index", (0.5, 1.5, 2.5), False),
        ("width", (1, 2, 3), False),
        ("Unnamed", (1, 1, 2), False),
        ("humidity", (1, 2, 3), False),
        ("id", (1, None, 3), False),
    ],
)
def test_an_index_is_known_by_its_name_and_its_values(name: str, values: tuple[object, ...], is_index: bool) -> None:
    assert (index_reason(name, column(*values)) is not None) is is_index


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ((0, 1, 2), True),
        ((1, 2, 3), True),
        ((1.0, 2.0, 3.0), True),
        (("1", "2", "3"), True),
        ((2, 3, 4), False),
        ((0, 2, 1), False),
        ((0, 1, None), False),
        ((True, False), False),
        ((0,), False),
        (("a", "b"), False),
        (np.arange(300).astype(np.uint8), False),
    ],
)
def test_a_count_of_the_rows_begins_at_0_or_1(values: Sequence[object], counts: bool) -> None:
    assert counts_rows(read_column(pa.chunked_array([pa.array(values)]))) is counts


@pytest.mark.parametrize(
    ("metadata", "names"),
    [
        (json.dumps({"index_columns": ["key", {"kind": "range"}]}).encode(), {"key"}),
        (json.dumps({"index_columns": []}).encode(), set()),
        (b"{", set()),
        (b"[]", set()),
        (b"\xff", set()),
        (b'{"index_columns": 5}', set()),
        (b'{"index_columns": [["a"]]}', set()),
    ],
)
def test_pandas_index_is_read_from_the_files_metadata(metadata: bytes, names: set[str]) -> None:
    assert pandas_indices({b"pandas": metadata}) == names
    assert pandas_indices(None) == set()
