"""One column of a table: numbers, or text with the reason why it is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from training.data.tables.numerals import POINT, Decimal, all_match, decimal_sign, to_numbers, whole_if_written_so

Mask = npt.NDArray[np.bool_]

OTHER_MISSING_VALUES = "? - -- --- . None none NONE nil NaT <NA> (null) N.A. n.a. #VALUE! #DIV/0! #REF! #NUM! #NAME?"
MISSING_VALUES = frozenset(pyarrow.csv.ConvertOptions().null_values) | frozenset(OTHER_MISSING_VALUES.split())
"""Texts that stand for a missing value: the empty text, NA, NaN, null, ? and the like."""
MISSING = pa.array(sorted(MISSING_VALUES), pa.string())
BOOLEANS = (("false", "true"), ("no", "yes"))
SHORT_BOOLEANS = (("f", "t"), ("n", "y"), ("off", "on"))
"""Pairs that stand for 0 and 1 only if both occur."""
DATE = (
    r"^(\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?|\d{1,2}[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{2,4})\.?([T ]\d{1,2}:\d{2}.*)?$"
)
TIME = r"^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?$"
MAX_FEW_VALUES = 64
"""Different values that a column of text may have to become one-hot columns without being named."""
MAX_SHOWN_CHARACTERS = 40


@dataclass
class Column:
    """A column as it was read."""

    kind: Literal["numbers", "booleans", "text", "dates", "empty", "other"]
    missing: Mask
    """(N,): the rows without a value."""
    numbers: npt.NDArray[Any] | None = None
    """(N,), in the file's type, 0 where a value is missing; None for anything but numbers and booleans."""
    text: Any = None
    """(N,), an Arrow array of text, null where a value is missing; None for numbers of Parquet."""
    problem: str = ""
    """Why the values are not numbers, for messages."""
    words: tuple[str, str] | None = None
    """The words for 0 and 1 of booleans that were written as words."""


def read_column(column: Any, decimal: Decimal | None = None) -> Column:
    """Return a column of an Arrow table, whose text may stand for numbers, booleans or dates."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = pc.cast(column, kind.value_type), kind.value_type
    missing = _nulls(column)
    if pa.types.is_null(kind) or (missing.all() and len(missing)):
        return Column("empty", np.ones(len(column), bool), problem="no values at all")
    if pa.types.is_boolean(kind):
        return Column("booleans", missing, _to_numpy(pc.cast(pc.fill_null(column, False), pa.uint8())))
    if pa.types.is_decimal(kind):
        column, kind = pc.cast(column, pa.float64()), pa.float64()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = _to_numpy(pc.fill_null(column, pa.scalar(0, kind)) if column.null_count else column)
        return Column(
            "numbers", missing, np.where(missing, numbers.dtype.type(0), numbers) if missing.any() else numbers
        )
    if pa.types.is_string_view(kind):
        column, kind = pc.cast(column, pa.large_string()), pa.large_string()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _read_text(column if column.null_count == 0 else pc.fill_null(column, ""), decimal)
    if pa.types.is_temporal(kind):
        return Column("dates", missing, problem=f"dates or times of the type {kind}")
    return Column("other", missing, problem=f"values of the type {kind}")


def _nulls(column: Any) -> Mask:
    options = {"nan_is_null": True} if pa.types.is_floating(column.type) else {}
    return _to_numpy(pc.is_null(column, **options))


def _to_numpy(column: Any) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = column.to_numpy()
    return values


def _read_text(column: Any, decimal: Decimal | None) -> Column:
    if decimal != "," and (numbers := _plain_numbers(column)) is not None and not np.isnan(numbers).any():
        return Column("numbers", np.zeros(len(column), bool), numbers, column)
    text = pc.utf8_trim_whitespace(column)
    is_missing = pc.is_in(text, value_set=MISSING.cast(text.type))
    text = pc.if_else(is_missing, pa.scalar(None, text.type), text)
    missing = _to_numpy(pc.is_null(text))
    if len(text) and missing.all():
        return Column("empty", missing, text=text, problem="no values at all")
    numbers = to_numbers(text, decimal) if decimal else _plain_numbers(pc.fill_null(text, "0"))
    if numbers is not None:
        return Column("numbers", missing, numbers, text)
    if (words := _boolean_words(text)) is not None:
        is_true = pc.fill_null(pc.equal(pc.utf8_lower(text), words[1]), False)
        return Column("booleans", missing, _to_numpy(pc.cast(is_true, pa.uint8())), text, words=words)
    return Column("text", missing, text=text)


def _plain_numbers(text: Any) -> npt.NDArray[Any] | None:
    """Return numbers with decimal points, without a look at each character; None if a value is anything else."""
    try:
        return whole_if_written_so(text, _to_numpy(pc.cast(text, pa.float64())))
    except pa.ArrowInvalid:
        return None


def _boolean_words(text: Any) -> tuple[str, str] | None:
    """Return the words for 0 and 1 of a column of words such as no and yes; None for other text."""
    values = {value for value in pc.unique(pc.utf8_lower(text)).slice(0, 4).to_pylist() if value is not None}
    for pair in (*BOOLEANS, *SHORT_BOOLEANS):
        if values == set(pair) or (pair in BOOLEANS and values and values <= set(pair)):
            return pair
    return None


def settle_decimals(columns: dict[str, Column], separator: str) -> tuple[Decimal | None, str | None]:
    """
    Convert the columns of text that are numbers in another notation, and return the file's decimal sign.

    Columns that prove a sign decide for those that could be read in two ways. Also returns the name of a column that
    nothing decides for.
    """
    waiting = {name: column for name, column in columns.items() if column.kind == "text"}
    signs = {name: decimal_sign(column.text) for name, column in waiting.items()}
    found: Decimal | None = next((sign for sign in signs.values() if sign in (",", ".")), None)
    if "comma?" in signs.values() and found is None:
        proofs = (decimal_sign(column.text) == "." for column in columns.values() if _is_decimal(column))
        found = "." if separator == "," or any(proofs) else None
    for name, column in waiting.items():
        sign = signs[name]
        if sign == "comma?" and found is None:
            return None, name
        own: Decimal = sign if sign in (",", ".") else found or "."
        numbers = to_numbers(column.text, own)
        if numbers is not None:
            columns[name] = Column("numbers", column.missing, numbers, column.text)
    if found == ",":
        for name, column in columns.items():
            if _is_decimal(column) and decimal_sign(column.text) == "point?":
                columns[name] = Column("numbers", column.missing, to_numbers(column.text, ","), column.text)
    return found, None


def _is_decimal(column: Column) -> bool:
    is_float = column.numbers is not None and column.numbers.dtype.kind == "f"
    return column.kind == "numbers" and is_float and column.text is not None


def describe_text(column: Column) -> Column:
    """Return a column of text with the reason why its values are not numbers: dates, few values, or different text."""
    text = column.text
    present = len(text) - text.null_count
    example = _example(text)
    if all_match(text, DATE) or all_match(text, TIME):
        return Column("dates", column.missing, text=text, problem=f"dates or times, such as {example}")
    different = pc.count_distinct(text).as_py()
    if different == present and present > 1:
        problem = f"text that differs in every row, such as {example}"
    elif different == 1:
        problem = f"the same text wherever there is any, {example}"
    else:
        problem = f"text of {different} different values, such as {example}"
    return Column("text", column.missing, text=text, problem=problem)


def has_few_values(column: Column) -> bool:
    """Return whether a column of text may become one-hot columns without being named."""
    present = len(column.text) - column.text.null_count
    return column.kind == "text" and pc.count_distinct(column.text).as_py() <= min(MAX_FEW_VALUES, present - 1)


def first_text(column: Column) -> tuple[int, str] | None:
    """Return the first row, from 0, of a column of text that is not a number, if most others are numbers."""
    is_number = pc.match_substring_regex(column.text, POINT)
    counts = pc.sum(is_number).as_py() or 0
    if 2 * counts < len(column.text) - column.text.null_count:
        return None
    row = pc.index(is_number, False).as_py()
    return row, shortened(column.text[row].as_py())


def shortened(text: str) -> str:
    """Return a cell's text in quotes, cut to a length that fits into a message."""
    cut = text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"
    return '"' + "".join(character if character.isprintable() else " " for character in cut) + '"'


def _example(text: Any) -> str:
    return shortened(next(value.as_py() for value in text if value.as_py() is not None))
