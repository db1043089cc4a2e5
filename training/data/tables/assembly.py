"""Columns as the samples of a source: one-hot columns, missing values, and what the findings say about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.config import TableOptions
from training.data.missing import Mask, medians, one_hot_groups
from training.data.source import Source
from training.data.storage import describe_unstorable, exact_dtype, first_unstorable, widened
from training.data.tables.columns import Column, describe_text, first_text, has_few_values
from training.data.tables.selection import counted, listed, quoted, typed
from training.errors import DataError


@dataclass
class Features:
    """The columns of numbers that a table's features become."""

    names: list[str] = field(default_factory=list)
    columns: list[npt.NDArray[Any]] = field(default_factory=list)
    """(N,) each."""
    missing: list[Mask] = field(default_factory=list)
    """(N,) each."""
    one_hot: dict[str, tuple[str, ...]] = field(default_factory=dict)
    booleans: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, name: str, column: npt.NDArray[Any], missing: Mask) -> None:
        """Append a column."""
        self.names.append(name)
        self.columns.append(column)
        self.missing.append(missing)


def build_features(origin: str, columns: dict[str, Column], options: TableOptions) -> Features:
    """
    Return the features in the order of the columns; text becomes one-hot columns where the options say so.

    Raises DataError, which names every column that is not numbers, and the remedy.
    """
    refused: dict[str, Column] = {}
    features = Features()
    for name, column in columns.items():
        if _is_one_hot(name, column, options):
            _add_one_hot(origin, name, column, options, features)
        elif column.numbers is not None:
            _check_storable(origin, name, column)
            features.add(name, column.numbers, column.missing)
            if column.words:
                features.booleans[name] = column.words
        elif column.kind == "empty" and options.missing == "refuse":
            raise DataError(f'{origin}: row 1, column "{name}": missing value; the column has no values at all: '
                            f"--drop {typed([name])} leaves it out")  # fmt: skip
        else:
            refused[name] = describe_text(column) if column.kind == "text" else column
    if refused:
        _refuse(origin, refused)
    if repeated := sorted(name for name in set(features.names) if features.names.count(name) > 1):
        raise DataError(f"{origin}: two columns would be called {quoted(repeated[0])}; rename one of them")
    return features


def _is_one_hot(name: str, column: Column, options: TableOptions) -> bool:
    if isinstance(options.one_hot, bool):
        return options.one_hot and column.kind == "text" and has_few_values(column)
    return name in options.one_hot


def _add_one_hot(origin: str, name: str, column: Column, options: TableOptions, features: Features) -> None:
    text = column.text
    if text is None and column.numbers is not None:
        text = pc.cast(pa.chunked_array([pa.array(column.numbers, mask=column.missing)]), pa.large_string())
    if text is None:
        raise DataError(f"{origin}: the column {quoted(name)} cannot become one-hot columns: {column.problem}")
    found = sorted(value for value in pc.unique(text).to_pylist() if value is not None)
    values = options.one_hot[name] if isinstance(options.one_hot, dict) else tuple(found)
    if unknown := sorted(set(found) - set(values)):
        row = pc.index(text, unknown[0]).as_py() + 1
        raise DataError(f'{origin}: row {row}, column "{name}": expected one of {listed(values)}, got "{unknown[0]}"')
    for value in values:
        is_value = pc.fill_null(pc.equal(text, value), False)
        features.add(f"{name}={value}", pc.cast(is_value, pa.uint8()).to_numpy(), column.missing)
    features.one_hot[name] = tuple(values)


def _check_storable(origin: str, name: str, column: Column) -> None:
    assert column.numbers is not None
    index = first_unstorable(column.numbers)
    if index:
        problem = describe_unstorable(float(column.numbers[index]))
        raise DataError(f'{origin}: row {index[0] + 1}, column "{name}": {problem}')


def _refuse(origin: str, refused: dict[str, Column]) -> None:
    """Raise the error that names the columns that are not numbers, and the options that help."""
    if len(refused) == 1:
        ((name, column),) = refused.items()
        if column.kind == "text" and (found := first_text(column)):
            raise DataError(f'{origin}: row {found[0] + 1}, column "{name}": not a number: {found[1]}; '
                            f"--drop {typed([name])} leaves the column out")  # fmt: skip
    reasons = [f"{quoted(name)} ({column.problem})" for name, column in refused.items()]
    few = [name for name, column in refused.items() if column.kind == "text" and has_few_values(column)]
    remedy = f"--drop {typed(list(refused))} leaves {'it' if len(refused) == 1 else 'them'} out"
    if few:
        remedy += f", --one-hot {typed(few)} makes a column of 0 and 1 of each of its values"
    verb = "is" if len(refused) == 1 else "are"
    raise DataError(f"{origin}: {counted(len(refused), 'column')} {verb} not numbers: {listed(reasons)}; {remedy}")


def missing_counts(names: Sequence[str], columns: dict[str, Column]) -> dict[str, int]:
    """Return the count of missing values of each column that misses any."""
    counts = {name: int(np.count_nonzero(columns[name].missing)) for name in names}
    return {name: count for name, count in counts.items() if count}


def settle_missing(
    origin: str, columns: dict[str, Column], options: TableOptions, label_missing: Mask | None
) -> tuple[Mask, str]:
    """
    Return the rows that stay, and what the findings say about missing values.

    Raises DataError if values are missing and the options do not say what to do.
    """
    rows = len(next(iter(columns.values())).missing)
    keep: Mask = np.ones(rows, bool)
    counts = missing_counts(list(columns), columns)
    text = counted(sum(counts.values()), "value")
    if counts:
        text += f": {listed([f'{name} {count}' for name, count in counts.items()])}"
    without = np.zeros(rows, bool) if label_missing is None else label_missing.copy()
    for name in counts:
        without |= columns[name].missing
    if options.missing == "drop":
        keep = ~without
        if not keep.any():
            worst = max(counts, key=lambda name: counts[name], default="")
            raise DataError(f"{origin}: every row misses a value; the column {quoted(worst)} misses most, "
                            f"{counts.get(worst, 0)} of {rows}")  # fmt: skip
        dropped = int(np.count_nonzero(without))
        return keep, f"{text}; {dropped} of {rows} rows left out" if dropped else ""
    if not counts:
        return keep, ""
    if options.missing == "refuse":
        name = min(counts, key=lambda name: int(columns[name].missing.argmax()))
        row = int(columns[name].missing.argmax()) + 1
        raise DataError(
            f'{origin}: row {row}, column "{name}": missing value; {text}; --missing drop leaves out '
            f"{int(np.count_nonzero(without))} of {rows} rows, --missing median fills the values"
        )
    return keep, f"{text}; filled with the medians of the training part"


def stack(features: Features, keep: Mask) -> tuple[npt.NDArray[Any], Mask | None]:
    """
    Return the samples, (rows, features), and the mask of numbers that stand in for missing ones, None without any.

    A column's own median stands in until the training part is known.
    """
    all_kept = bool(keep.all())
    columns = features.columns if all_kept else [column[keep] for column in features.columns]
    samples = np.zeros((int(keep.sum()), len(columns)), exact_dtype([column.dtype for column in columns]))
    missing = np.array(features.missing).T[keep] if any(mask.any() for mask in features.missing) else None
    for index, column in enumerate(columns):
        samples = widened(samples, column)
        samples[:, index] = column
    if missing is None or not missing.any():
        return samples, None
    samples = samples.astype(np.promote_types(samples.dtype, np.float32))
    fill = medians(samples, missing, one_hot_groups(features.names, features.one_hot))
    np.copyto(samples, fill, where=missing)
    return samples, missing


def notes_of(features: Features, columns: dict[str, Column]) -> dict[str, str]:
    """Return the findings about columns that became numbers."""
    booleans = [name for name, column in columns.items() if column.kind == "booleans" and name in features.names]
    encoded = [f"{name} ({listed(values)})" for name, values in features.one_hot.items()]
    return {
        "booleans": f"{listed(booleans)} as 0 and 1" if booleans else "",
        "one-hot": listed(encoded),
    }


def make_source(
    origin: str,
    features: Features,
    keep: Mask,
    labels: npt.NDArray[Any] | None,
    notes: dict[str, str],
) -> Source:
    """Return the source of a table, with the rows that stay."""
    samples, missing = stack(features, keep)
    return Source(
        origin,
        samples,
        None if labels is None else labels[keep],
        kind="vector",
        feature_names=tuple(features.names),
        first_row=1,
        notes={name: text for name, text in notes.items() if text},
        missing=missing,
        one_hot=features.one_hot,
        booleans=features.booleans,
    )
