"""
Rows as JSON objects, whose members are a table's columns: {"age": 41, "colour": "red"}.

A column of text, whose features are one-hot, is one member with its text. Objects are read into Python and converted
one by one, which is slower than rows that are arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import numpy as np

from app.arrays import Array
from app.errors import MAX_REPEATED_CHARACTERS, InvalidInput, NotNumbers
from app.formats.json_errors import describe
from app.inputs import VectorInput

MAX_OBJECTS, MAX_QUOTES = 10_000, 400_000
"""Limits on the rows of a large body, and on the quotation marks around its names and texts."""
MAX_LISTED_NAMES = 10
Row = Mapping[str, Any]


class FeatureRows:
    """The conversion between objects and rows of numbers, for a model whose features have names."""

    def __init__(self, sample: VectorInput) -> None:
        self._names = sample.feature_names
        self._places = {name: place for place, name in enumerate(self._names)}
        self._text = {
            column: {value: self._places[f"{column}={value}"] for value in values}
            for column, values in sample.one_hot.items()
        }
        """The place of each value's feature, by the column of text."""
        self._columns = {place: column for column, places in self._text.items() for place in places.values()}
        """The column of text of each one-hot feature."""
        self._words = {name: {words[0]: 0.0, words[1]: 1.0} for name, words in sample.booleans.items()}
        self._fills = bool(sample.fill)

    def read(self, rows: Any, member: str) -> Any:
        """
        Return rows that are objects as an array, with NaN for null if the model fills missing numbers.

        Rows that are arrays stay lists, in which NaN takes the place of null if the model fills missing numbers.
        Raises InvalidInput or NotNumbers, which name the row, and the member that is wrong.
        """
        if not isinstance(rows, list) or not rows:
            return rows
        if not isinstance(rows[0], dict):
            return [_without_nulls(row) for row in rows] if self._fills else rows
        array = np.empty((len(rows), len(self._names)))
        for index, row in enumerate(rows):
            if not isinstance(row, dict):
                raise InvalidInput(f"{member}: expected an object at [{index}] as at [0], got {describe(row)}")
            array[index] = self._read_row(row, f"{member}[{index}]")
        with np.errstate(over="ignore"):  # too large becomes infinite, which the engine refuses
            return array.astype(np.float32)

    def write(self, array: Array) -> list[dict[str, Any]]:
        """Return rows of numbers as objects; of one-hot features the largest decides for its text."""
        members: dict[str, list[Any]] = {}
        for place, name in enumerate(self._names):
            column = self._columns.get(place)
            if column is None:
                members[name] = list(array[:, place])
            elif column not in members:
                values = list(self._text[column])
                largest = array[:, list(self._text[column].values())].argmax(axis=1)
                members[column] = [values[index] for index in largest]
        return [dict(zip(members, row, strict=True)) for row in zip(*members.values(), strict=True)]

    def write_sums(self, array: Array) -> list[dict[str, Any]]:
        """Return rows of attributions as objects; those of one-hot features are added up for their column of text."""
        members: dict[str, Any] = {}
        for place, name in enumerate(self._names):
            column = self._columns.get(place, name)
            members[column] = members[column] + array[:, place] if column in members else array[:, place]
        return [dict(zip(members, row, strict=True)) for row in zip(*members.values(), strict=True)]

    def _read_row(self, row: Row, at: str) -> Sequence[float]:
        numbers: list[float | None] = [None] * len(self._names)
        for name, value in row.items():
            if (place := self._places.get(name)) is not None:
                if numbers[place] is not None:
                    raise InvalidInput(f"{at}: {_short(name)} is given twice, by its column and by itself")
                numbers[place] = self._number(name, value, at)
            elif name in self._text:
                self._set_text(numbers, name, value, at)
            else:
                self._refuse_unknown(name, at)
        missing = [name for name, number in zip(self._names, numbers, strict=True) if number is None]
        if missing:
            columns = list(dict.fromkeys(self._columns.get(self._places[name], name) for name in missing))
            hint = "; null stands for a missing value" if self._fills else ""
            raise InvalidInput(f"{at}: no value for {_listed(columns)}{hint}")
        return numbers  # type: ignore[return-value]

    def _number(self, name: str, value: Any, at: str) -> float:
        if isinstance(value, int | float):  # also true and false, as in tables
            return float(value)
        if value is None and self._fills:
            return float("nan")
        words = self._words.get(name, {})
        if isinstance(value, str) and (number := words.get(value.strip().lower())) is not None:
            return number
        hint = "; this model does not fill missing values" if value is None else ""
        expected = f"a number or one of {_listed(list(words))}" if words else "a number"
        raise NotNumbers(f"{at}: expected {expected} for {_short(name)}, got {describe(value)}{hint}")

    def _set_text(self, numbers: list[float | None], column: str, value: Any, at: str) -> None:
        places = self._text[column]
        if any(numbers[place] is not None for place in places.values()):
            raise InvalidInput(f"{at}: {_short(column)} is given twice, as a column and as one-hot features")
        if value is None and self._fills:
            for place in places.values():
                numbers[place] = float("nan")
            return
        text = value if isinstance(value, str) else _number_text(value)
        if text not in places:
            got = _short(text) if text else describe(value)
            raise InvalidInput(f"{at}: expected {_short(column)} to be one of {_listed(list(places))}, got {got}")
        for place in places.values():
            numbers[place] = 0.0
        numbers[places[text]] = 1.0

    def _refuse_unknown(self, name: str, at: str) -> NoReturn:
        known = [feature for place, feature in enumerate(self._names) if place not in self._columns] + list(self._text)
        near = get_close_matches(name[:MAX_REPEATED_CHARACTERS], known, 1)
        hint = f"did you mean {_short(near[0])}?" if near else f"the features are {_listed(known)}"
        raise InvalidInput(f"{at}: there is no feature {_short(name)}; {hint}")


def _without_nulls(row: Any) -> Any:
    return [float("nan") if value is None else value for value in row] if isinstance(row, list) else row


def _number_text(value: Any) -> str:
    """Return a number as a table has it, for columns whose text is a number; nothing for other values."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).lower() if isinstance(value, bool) else ""
    return str(int(value)) if float(value).is_integer() else repr(value)


def _short(name: str) -> str:
    return '"' + name[:MAX_REPEATED_CHARACTERS] + '"'


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_LISTED_NAMES} more" if len(names) > MAX_LISTED_NAMES else ""
    return ", ".join(map(_short, names[:MAX_LISTED_NAMES])) + more
