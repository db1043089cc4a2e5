"""The options choose the features; columns that only number the rows are left out unless they are named."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from training.config import TableOptions
from training.data.tables.columns import Column, read_column
from training.data.tables.selection import candidates, counted, leave_out_indices, listed, quoted, typed
from training.errors import DataError


def columns(**values: list[Any]) -> dict[str, Column]:
    """Return columns by name."""
    return {name: read_column(pa.chunked_array([pa.array(column)])) for name, column in values.items()}


@pytest.mark.parametrize(
    ("options", "label", "chosen"),
    [
        ({}, None, ["a", "b", "c"]),
        ({}, "b", ["a", "c"]),
        ({"columns": ("c", "a")}, None, ["c", "a"]),
        ({"columns": ("c", "a", "c")}, None, ["c", "a"]),
        ({"columns": ("c", "b")}, "b", ["c"]),
        ({"drop": ("a",)}, None, ["b", "c"]),
    ],
)
def test_the_options_choose_the_columns(options: dict[str, Any], label: str | None, chosen: list[str]) -> None:
    assert candidates("t.csv", ["a", "b", "c"], TableOptions(**options), label) == chosen


@pytest.mark.parametrize(
    ("names", "options", "label", "complaint"),
    [
        ("abc", {"columns": ("x",)}, None, 'no column "x" among a, b, c'),
        (["age", "colour"], {"drop": ("color",)}, None, 'did you mean "colour"'),
        (["age", "colour"], {"one_hot": ("COLOUR",)}, None, 'did you mean "colour"'),
        ("abc", {}, "y", 'no column "y"'),
        ("abc", {"columns": ("a",), "drop": ("a",)}, None, 'the column "a" is named both by --columns and by --drop'),
        ("aab", {}, None, 'two columns are called "a"; rename one, or leave both out with --drop a'),
        ("aab", {"columns": ("a",)}, None, 'two columns are called "a"'),
    ],
)
def test_a_column_that_cannot_be_chosen_is_named(
    names: Any, options: dict[str, Any], label: str | None, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        candidates("t.csv", list(names), TableOptions(**options), label)


def test_repeated_names_that_are_left_out_do_no_harm() -> None:
    assert candidates("t.csv", ["a", "a", "b"], TableOptions(drop=("a",)), None) == ["b"]


COUNT = list(range(1, 13))
OTHERS: dict[str, list[Any]] = {"a": [n % 5 for n in COUNT], "b": [n * n for n in COUNT]}


def test_indices_are_taken_out_with_their_reasons() -> None:
    table = columns(**{"Unnamed: 0": OTHERS["b"], "n": COUNT, "key": OTHERS["b"], **OTHERS})
    reasons, counting = leave_out_indices(table, TableOptions(), frozenset({"key"}))
    assert reasons == {
        "Unnamed: 0": "an index that was saved without a name",
        "key": "the file marks it as its index",
        "n": "it counts the rows",
    }
    assert (list(table), counting) == (["a", "b"], [])


def test_columns_that_are_named_stay() -> None:
    table = columns(n=COUNT, **OTHERS)
    assert leave_out_indices(table, TableOptions(columns=("n", "a", "b")), frozenset({"n"})) == ({}, [])
    assert list(table) == ["n", "a", "b"]


def test_a_count_stays_and_is_told_if_there_are_few_rows_or_one_other_column() -> None:
    few = columns(n=COUNT[:9], a=OTHERS["a"][:9], b=OTHERS["b"][:9])
    assert leave_out_indices(few, TableOptions(), frozenset()) == ({}, ["n"])
    one_other = columns(n=COUNT, a=OTHERS["a"])
    assert leave_out_indices(one_other, TableOptions(), frozenset()) == ({}, ["n"])


def test_names_are_listed_as_they_are_typed() -> None:
    assert typed(["a", "b c"]) == "a 'b c'"
    assert quoted("a") == '"a"'
    assert (counted(1, "row"), counted(2, "row")) == ("1 row", "2 rows")
    assert listed([f"c{n}" for n in range(22)]).endswith("c19 and 2 more")
