"""The columns of a table that are features: those that the options name, or all that do not only number the rows."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from training.config import TableOptions
from training.data.tables.columns import Column
from training.data.tables.indices import MIN_COUNTED_ROWS, counts_rows, index_reason
from training.errors import DataError

MAX_LISTED_COLUMNS = 20


def candidates(origin: str, names: Sequence[str], options: TableOptions, label: str | None) -> list[str]:
    """
    Return the columns that may be features, before their values are known.

    Raises DataError if an option names a column that is not there, or if two columns have the same name.
    """
    labels = () if label is None else (label,)
    for name in (*(options.columns or ()), *options.drop, *_one_hot_names(options), *labels):
        if name not in names:
            raise DataError(f"{origin}: no column {quoted(name)} among {listed(names)}{_did_you_mean(name, names)}")
    both = sorted({*(options.columns or ())} & {*options.drop})
    if both:
        raise DataError(f"{origin}: the column {quoted(both[0])} is named both by --columns and by --drop")
    wanted = names if options.columns is None else dict.fromkeys(options.columns)
    chosen = [name for name in wanted if name not in options.drop and name != label]
    if repeated := sorted(name for name in {*chosen, label} - {None} if name and names.count(name) > 1):
        raise DataError(
            f'{origin}: two columns are called "{repeated[0]}"; rename one, or leave both out with --drop {repeated[0]}'
        )
    return chosen


def leave_out_indices(
    columns: dict[str, Column], options: TableOptions, marked: frozenset[str]
) -> tuple[dict[str, str], list[str]]:
    """
    Take the columns out that only number the rows, and return the reasons by their names.

    Also returns the columns that count the rows and stay, because there are few rows or no other columns. Columns
    that the options name stay.
    """
    if options.columns is not None:
        return {}, []
    reasons = {}
    for name, column in columns.items():
        reason = "the file marks it as its index" if name in marked else index_reason(name, column)
        if reason and name not in _one_hot_names(options):
            reasons[name] = reason
    counting = [name for name, column in columns.items() if name not in reasons and counts_rows(column)]
    remaining = len(columns) - len(reasons) - len(counting)
    if counting and remaining >= 2 and len(columns[counting[0]].missing) >= MIN_COUNTED_ROWS:
        reasons |= dict.fromkeys(counting, "it counts the rows")
        counting = []
    for name in reasons:
        del columns[name]
    return reasons, counting


def listed(names: Sequence[str]) -> str:
    """Return names separated by commas, at most MAX_LISTED_COLUMNS of them."""
    more = f" and {len(names) - MAX_LISTED_COLUMNS} more" if len(names) > MAX_LISTED_COLUMNS else ""
    return ", ".join(names[:MAX_LISTED_COLUMNS]) + more


def counted(count: int, noun: str) -> str:
    """Return a number of things, such as `1 row` or `2 rows`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def quoted(name: str) -> str:
    """Return a column's name in quotes, for messages."""
    return f'"{name}"'


def typed(names: Sequence[str]) -> str:
    """Return columns as they are typed behind an option."""
    return " ".join(name if name.isidentifier() else f"'{name}'" for name in names[:MAX_LISTED_COLUMNS])


def _one_hot_names(options: TableOptions) -> tuple[str, ...]:
    return () if isinstance(options.one_hot, bool) else tuple(options.one_hot)


def _did_you_mean(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, 1) or [other for other in names if other.lower() == name.lower()]
    return f"; did you mean {quoted(near[0])}?" if near else ""
