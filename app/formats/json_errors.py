"""Convert nested lists from JSON to arrays, and explain what is wrong with lists that cannot be converted."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, NoReturn

import numpy as np

from app.arrays import Array, Rows
from app.errors import MAX_REPEATED_CHARACTERS, EmptyBatch, InvalidInput, NotFinite, NotNumbers, RaggedRows

TYPE_NAMES = {bool: "a boolean", str: "a string", dict: "an object", type(None): "null", list: "a list"}
MAX_DEPTH = 8
"""Nesting beyond this depth is never a valid array: samples have at most four axes."""
NUMBER_LENGTH = -1
"""Stands for a number where the length of a list is compared."""


def to_array(rows: Any, member: str) -> Array:
    """Return nested lists of numbers as a float32 array. All lists of one depth must have the same length."""
    with np.errstate(over="ignore"):  # too large becomes infinite, which the engine refuses
        return to_numbers(rows, member).astype(np.float32)


def to_numbers(rows: Any, member: str) -> Rows:
    """
    Return nested lists of numbers as an array of numpy's type for them, such as int64.

    All lists of one depth must have the same length.
    Raises InvalidInput, EmptyBatch, NotNumbers, RaggedRows or NotFinite.
    """
    if not isinstance(rows, list):
        raise InvalidInput(f"{member}: expected a list of rows, got {describe(rows)}")
    if not rows:
        raise EmptyBatch(f"{member}: expected at least one row, got none")
    try:
        array = np.array(rows)
    except ValueError:
        array = None
    if array is None or array.dtype.kind not in "iuf" or _holds_boolean(rows):
        explain(rows, member)
    return array


def describe(value: Any) -> str:
    """Name the type of a JSON value for an error message."""
    return TYPE_NAMES.get(type(value), "a number")


def list_names(document: Mapping[str, Any]) -> str:
    """Return the names of a JSON object's members for an error message, which repeats little of them."""
    names = (repr(name[:MAX_REPEATED_CHARACTERS]) for name in islice(document, MAX_REPEATED_CHARACTERS))
    return ", ".join(names)[:MAX_REPEATED_CHARACTERS] or "none"


def explain(rows: list[Any], member: str) -> NoReturn:
    """Raise the error that says why these rows are not an array of numbers: NotNumbers, RaggedRows or NotFinite."""
    first_lengths: dict[int, tuple[int, list[int]]] = {}
    """By depth: the length of the first element there, and its indices."""

    def visit(values: list[Any], indices: list[int]) -> None:
        depth = len(indices) + 1
        expects_numbers = depth in first_lengths and first_lengths[depth][0] == NUMBER_LENGTH
        for index, value in enumerate(values):
            if type(value) is float or type(value) is int:
                if expects_numbers:
                    continue
                length = NUMBER_LENGTH
            elif not isinstance(value, list):
                raise NotNumbers(f"{member}: expected numbers, got {describe(value)} at {[*indices, index]}")
            elif depth > MAX_DEPTH:
                raise RaggedRows(f"{member}: nested more than {MAX_DEPTH} deep at {[*indices, index]}")
            else:
                length = len(value)
            if depth not in first_lengths:
                first_lengths[depth] = (length, [*indices, index])
                expects_numbers = length == NUMBER_LENGTH
            elif first_lengths[depth][0] != length:
                _raise_ragged(member, [*indices, index], length, *first_lengths[depth])
            if length != NUMBER_LENGTH:
                visit(value, [*indices, index])

    visit(rows, [])
    raise NotFinite(f"{member}: expected numbers that fit float32, got a larger one")


def _raise_ragged(member: str, at: list[int], length: int, first_length: int, first_at: list[int]) -> NoReturn:
    """Raise the error for an element whose length differs from that of the first element of its depth."""
    if length == NUMBER_LENGTH:
        raise RaggedRows(f"{member}: expected a list at {at} as at {first_at}, got a number")
    if first_length == NUMBER_LENGTH:
        raise RaggedRows(f"{member}: expected a number at {at} as at {first_at}, got a list")
    raise RaggedRows(f"{member}: expected {first_length} numbers or lists at {at} as at {first_at}, got {length}")


def _holds_boolean(rows: Any) -> bool:
    """Return whether a boolean is among the numbers. numpy would convert it to 1 or 0."""
    if isinstance(rows, list):
        return any(map(_holds_boolean, rows)) if rows and isinstance(rows[0], list) else bool in set(map(type, rows))
    return isinstance(rows, bool)
