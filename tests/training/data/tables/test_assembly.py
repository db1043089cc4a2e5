"""Columns become features; text becomes one-hot columns; missing values are refused, dropped or filled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from training.config import TableOptions
from training.data.tables.assembly import (
    build_features,
    make_source,
    missing_counts,
    notes_of,
    settle_missing,
    stack,
)
from training.data.tables.columns import Column, read_column
from training.errors import DataError


def columns(**values: list[Any]) -> dict[str, Column]:
    """Return columns by name."""
    return {name: read_column(pa.chunked_array([pa.array(column)])) for name, column in values.items()}


def test_text_becomes_a_column_of_0_and_1_for_each_value_in_its_place() -> None:
    table = columns(a=[1, 2, 3], colour=["red", "blue", "red"], b=[0.5, 1, 2])
    features = build_features("t.csv", table, TableOptions(one_hot=True))
    assert features.names == ["a", "colour=blue", "colour=red", "b"]
    assert [column.tolist() for column in features.columns] == [[1, 2, 3], [0, 1, 0], [1, 0, 1], [0.5, 1, 2]]
    assert features.one_hot == {"colour": ("blue", "red")}
    assert notes_of(features, table) == {"booleans": "", "one-hot": "colour (blue, red)"}


def test_columns_that_are_named_become_one_hot_also_if_they_are_numbers() -> None:
    table = columns(zone=[3, 5, 3], name=["x", "y", "z"])
    features = build_features("t.csv", table, TableOptions(one_hot=("zone", "name")))
    assert features.names == ["zone=3", "zone=5", "name=x", "name=y", "name=z"]


def test_values_that_are_named_decide_for_the_features() -> None:
    options = TableOptions(one_hot={"c": ("z", "x", "y")})
    features = build_features("t.csv", columns(c=["x", "y", "x"]), options)
    assert features.names == ["c=z", "c=x", "c=y"]
    with pytest.raises(DataError, match=r't\.csv: row 2, column "c": expected one of z, x, y, got "w"'):
        build_features("t.csv", columns(c=["x", "w", "x"]), options)


@pytest.mark.parametrize(
    ("values", "options", "complaint"),
    [
        (
            ["2020-01-01", "2020-01-02", "2020-01-02"],
            {},
            r'"c" \(dates or times, such as "2020-01-01"\); --drop c leaves',
        ),
        (["red", "blue", "red"], {}, r"--drop c leaves it out, --one-hot c makes a column of 0 and 1 of each of its"),
        (
            ["x", "y", "z"],
            {"one_hot": True},
            r'"c" \(text that differs in every row, such as "x"\); --drop c leaves it',
        ),
        (["1", "2", "x"], {}, 'row 3, column "c": not a number: "x"; --drop c leaves the column out'),
        ([[1], [2], [3]], {}, r"values of the type list"),
        ([[1], [2], [3]], {"one_hot": ("c",)}, 'the column "c" cannot become one-hot columns'),
        ([None, None, None], {}, "the column has no values at all: --drop c leaves it out"),
        ([None, None, None], {"missing": "median"}, r'"c" \(no values at all\)'),
        ([1.0, float("inf"), 2.0], {}, 'row 2, column "c": infinite'),
        ([1.0, 2.0, 1e39], {}, 'row 3, column "c": 1e\\+39 is too large for float32'),
        (["a", "b", "a"], {"one_hot": True}, 'two columns would be called "c=a"'),
    ],
)
def test_a_column_that_is_no_feature_is_named_with_the_remedy(
    values: list[Any], options: dict[str, Any], complaint: str
) -> None:
    table = columns(**{"a": [1, 2, 3], "c": values, "c=a": [1, 2, 3]})
    with pytest.raises(DataError, match=complaint):
        build_features("t.csv", table, TableOptions(**options))


def test_all_columns_that_are_no_numbers_are_named_at_once() -> None:
    table = columns(day=["1.1.2020", "2.1.2020"], **{"full name": ["x", "y"]}, sex=["m", "m"])
    with pytest.raises(DataError) as caught:
        build_features("t.csv", table, TableOptions())
    assert str(caught.value) == (
        't.csv: 3 columns are not numbers: "day" (dates or times, such as "1.1.2020"), '
        '"full name" (text that differs in every row, such as "x"), "sex" (the same text wherever there is any, "m"); '
        "--drop day 'full name' sex leaves them out, --one-hot sex makes a column of 0 and 1 of each of its values"
    )


GAPS: dict[str, list[Any]] = {"a": [1, None, 3, None, 9], "b": [1, 2, 3, 4, 5], "c": [None, 1.5, 2.5, 3.5, 4.5]}


def test_missing_values_are_counted_by_column() -> None:
    table = columns(**GAPS)
    assert missing_counts(list(table), table) == {"a": 2, "c": 1}
    with pytest.raises(DataError) as caught:
        settle_missing("t.csv", table, TableOptions(), None)
    assert str(caught.value) == (
        't.csv: row 1, column "c": missing value; 3 values: a 2, c 1; '
        "--missing drop leaves out 3 of 5 rows, --missing median fills the values"
    )


def test_rows_with_a_missing_value_are_dropped() -> None:
    table = columns(**GAPS)
    keep, text = settle_missing("t.csv", table, TableOptions(missing="drop"), None)
    assert (keep.tolist(), text) == ([False, False, True, False, True], "3 values: a 2, c 1; 3 of 5 rows left out")
    no_label = np.array([False, False, True, False, False])
    keep, text = settle_missing("t.csv", table, TableOptions(missing="drop"), no_label)
    assert (keep.tolist(), text) == ([False, False, False, False, True], "3 values: a 2, c 1; 4 of 5 rows left out")
    with pytest.raises(DataError, match='every row misses a value; the column "c" misses most, 1 of 2'):
        settle_missing("t.csv", columns(c=[None, 1], d=[1, None]), TableOptions(missing="drop"), None)


def test_medians_stand_in_for_missing_values() -> None:
    table = columns(**GAPS, colour=["red", "", "red", "blue", "blue"])
    features = build_features("t.csv", table, TableOptions(missing="median", one_hot=True))
    keep, text = settle_missing("t.csv", table, TableOptions(missing="median"), None)
    assert text == "4 values: a 2, c 1, colour 1; filled with the medians of the training part"
    source = make_source("t.csv", features, keep, None, {"missing": text, "format": ""})
    assert source.samples[1].tolist() == [3, 2, 1.5, 1, 0]  # blue and red are equally frequent: the first
    assert source.samples[0].tolist() == [1, 1, 3, 0, 1]
    assert source.missing is not None
    assert source.missing[1].tolist() == [True, False, False, True, True]
    assert source.notes == {"missing": text}
    assert (source.feature_names[3:], source.one_hot) == (("colour=blue", "colour=red"), {"colour": ("blue", "red")})


def test_columns_keep_their_precision_side_by_side() -> None:
    table = columns(t=[2**60 + 1, 2**60 + 2], x=[0.5, 1.5])
    samples, missing = stack(build_features("t.csv", table, TableOptions()), np.ones(2, bool))
    assert missing is None
    assert samples[1, 0] - samples[0, 0] == 1
