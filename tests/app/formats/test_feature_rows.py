"""Rows are objects by feature name; what is wrong in one is named with its row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.errors import InvalidInput, NotNumbers
from app.formats.feature_rows import FeatureRows
from app.formats.json_body import read_rows
from app.inputs import VectorInput

TABLE = VectorInput(
    shape=(4,), feature_names=("age", "colour=blue", "colour=red", "tame"), one_hot={"colour": ("blue", "red")}
)
FILLED = TABLE.model_copy(update={"fill": (7.0, 0.0, 1.0, 0.0)})
ROW = {"age": 3, "colour": "red", "tame": True}


@pytest.mark.parametrize(
    ("row", "numbers"),
    [
        (ROW, [3, 0, 1, 1]),
        ({"tame": 0.5, "colour": "blue", "age": -1}, [-1, 1, 0, 0.5]),  # in any order
        ({"age": 1, "colour=blue": 0.25, "colour=red": 0.75, "tame": 0}, [1, 0.25, 0.75, 0]),
    ],
)
def test_objects_become_rows_in_the_order_of_the_features(row: dict[str, Any], numbers: list[float]) -> None:
    assert FeatureRows(TABLE).read([row], "samples").tolist() == [numbers]


def test_a_column_of_yes_and_no_takes_these_words() -> None:
    table = VectorInput(shape=(2,), feature_names=("paid", "age"), booleans={"paid": ("no", "yes")})
    rows = [{"paid": paid, "age": 3} for paid in ("yes", " No", "YES", True, 0, 0.5)]
    assert FeatureRows(table).read(rows, "samples")[:, 0].tolist() == [1, 0, 1, 1, 0, 0.5]
    for wrong in ({"paid": "true", "age": 3}, {"paid": None, "age": 3}):
        with pytest.raises(NotNumbers, match=r'^samples\[0\]: expected a number or one of "no", "yes" for "paid", got'):
            FeatureRows(table).read([wrong], "samples")
    with pytest.raises(NotNumbers, match=r'expected a number for "age", got a string$'):
        FeatureRows(table).read([{"paid": 1, "age": "yes"}], "samples")


def test_a_column_whose_text_is_a_number_takes_numbers() -> None:
    zones = VectorInput(shape=(3,), feature_names=("z=3", "z=0.5", "x"), one_hot={"z": ("3", "0.5")})
    rows = [{"z": 3, "x": 1}, {"z": 3.0, "x": 1}, {"z": "3", "x": 1}, {"z": 0.5, "x": 1}]
    assert FeatureRows(zones).read(rows, "samples").tolist() == [[1, 0, 1], [1, 0, 1], [1, 0, 1], [0, 1, 1]]


def test_null_is_nan_where_the_model_fills_missing_numbers() -> None:
    rows = FeatureRows(FILLED).read([{"age": None, "colour": None, "tame": 1}], "samples")
    assert np.isnan(rows).tolist() == [[True, True, True, False]]
    lists = FeatureRows(FILLED).read([[1, None, 0, 1]], "samples")
    assert np.isnan(lists).tolist() == [[False, True, False, False]]
    assert FeatureRows(TABLE).read([[1, None, 0, 1]], "samples") == [[1, None, 0, 1]]


@pytest.mark.parametrize(
    ("rows", "error", "complaint"),
    [
        ([ROW, {**ROW, "agee": 1}], InvalidInput, r'^samples\[1\]: there is no feature "agee"; did you mean "age"\?$'),
        ([{**ROW, "x": 1}], InvalidInput, r'no feature "x"; the features are "age", "tame", "colour"$'),
        ([{"age": 3}], InvalidInput, r'^samples\[0\]: no value for "colour", "tame"$'),
        ([{}], InvalidInput, r'no value for "age", "colour", "tame"$'),
        ([{"age": 1, "colour=red": 1, "tame": 0}], InvalidInput, r'no value for "colour"$'),
        ([{**ROW, "colour": "green"}], InvalidInput, r'expected "colour" to be one of "blue", "red", got "green"$'),
        ([{**ROW, "colour": None}], InvalidInput, r'"blue", "red", got null'),
        ([{**ROW, "colour": ["red"]}], InvalidInput, r'"blue", "red", got a list'),
        ([{**ROW, "age": "3"}], NotNumbers, r'^samples\[0\]: expected a number for "age", got a string$'),
        ([{**ROW, "age": None}], NotNumbers, 'for "age", got null; this model does not fill missing values$'),
        ([{**ROW, "age": [3]}], NotNumbers, 'for "age", got a list$'),
        ([ROW, [1, 2, 3, 4]], InvalidInput, r"expected an object at \[1\] as at \[0\], got a list"),
        ([{**ROW, "colour=red": 1}], InvalidInput, '"colour=red" is given twice'),
        ([{"colour=red": 1, **ROW}], InvalidInput, '"colour" is given twice'),
    ],
)
def test_an_object_that_does_not_fit_is_named(rows: Any, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        FeatureRows(TABLE).read(rows, "samples")


def test_a_feature_that_is_left_out_is_not_a_missing_value() -> None:
    with pytest.raises(InvalidInput, match='no value for "tame"; null stands for a missing value'):
        FeatureRows(FILLED).read([{"age": 3, "colour": "red"}], "samples")


def test_rows_become_objects_with_the_text_of_the_largest_feature() -> None:
    array = np.array([[1.5, 0.2, 0.7, 1], [2, 0.6, 0.4, 0.5]], np.float32)
    assert FeatureRows(TABLE).write(array) == [
        {"age": 1.5, "colour": "red", "tame": 1},
        {"age": 2, "colour": "blue", "tame": 0.5},
    ]


def test_attributions_of_one_hot_features_are_added_up_for_their_column() -> None:
    array = np.array([[1.5, 0.25, 0.75, 1], [2, 0, 0, 0.5]], np.float32)
    assert FeatureRows(TABLE).write_sums(array) == [
        {"age": 1.5, "colour": 1, "tame": 1},
        {"age": 2, "colour": 0, "tame": 0.5},
    ]


def test_other_bodies_are_left_to_the_reader_of_arrays() -> None:
    rows = FeatureRows(TABLE)
    assert rows.read("text", "samples") == "text"
    assert rows.read([], "samples") == []
    assert rows.read([[1, 2, 3, 4]], "samples") == [[1, 2, 3, 4]]


def test_a_body_has_objects_only_for_a_table() -> None:
    content = b'{"samples": [{"age": 3, "colour": "red", "tame": true}]}'
    assert read_rows(content, "samples", TABLE).tolist() == [[3, 0, 1, 1]]
    assert read_rows(b'{"samples": [[1, 2, 3, 4]]}', "samples", TABLE).tolist() == [[1, 2, 3, 4]]
    with pytest.raises(NotNumbers, match="got an object"):
        read_rows(content, "samples")


def test_many_objects_are_read() -> None:
    row = b'{"age": 0.333333333333333333333333333, "colour": "red", "tame": 1}'
    content = b'{"samples": [' + b",".join([row] * 9000) + b"]}"
    assert len(content) > 512 * 1024
    assert read_rows(content, "samples", TABLE).shape == (9000, 4)
