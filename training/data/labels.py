"""The step from a source's labels to indices into sorted classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.source import Source
from training.data.storage import Integers
from training.errors import DataError


def number_labels(sources: Sequence[Source]) -> tuple[tuple[str, ...], list[Integers | None]]:
    """
    Return the classes of all sources, and for each source its labels as indices into them, or None without labels.

    Labels may be text, whole numbers or booleans. Classes that are all whole numbers are sorted as numbers. Raises
    DataError, with the row.
    """
    labels = [_check_labels(source) for source in sources]
    present = [part for part in labels if part is not None]
    if not present:
        return (), [None] * len(labels)
    values, value_indices = np.unique(np.concatenate(present), return_inverse=True)
    names = [str(value) for value in values]
    if all(re.fullmatch(r"-?\d+", name) for name in names):
        order = sorted(range(len(names)), key=lambda index: (int(names[index]), names[index]))
    else:
        order = list(range(len(names)))
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    ends = np.cumsum([len(part) for part in present])[:-1]
    numbered = iter(np.split(position[value_indices], ends))
    return tuple(names[index] for index in order), [None if part is None else next(numbered) for part in labels]


def _check_labels(source: Source) -> npt.NDArray[Any] | None:
    """Return the labels as text or whole numbers, (N,)."""
    labels = source.labels
    if labels is None:
        return None
    if labels.shape == (len(source.samples), 1):
        labels = labels[:, 0]
    if labels.shape != (len(source.samples),):
        raise DataError(f"{source.origin}: expected {len(source.samples)} labels, got shape {labels.shape}")
    if labels.dtype.kind == "f":
        whole = np.isfinite(labels) & (np.floor(labels) == labels)
        if not whole.all():
            row = int(whole.argmin())
            raise DataError(
                f"{source.place(row)}: expected a label that is text or a whole number, got {labels[row]:g}"
            )
        return labels.astype(np.int64)
    if labels.dtype.kind == "S":
        try:
            return np.char.decode(labels, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{source.origin}: labels that are not UTF-8: {error.object[:60]!r}") from error
    if labels.dtype.kind == "b":
        return labels.astype(np.str_)
    if labels.dtype.kind not in "iuU":
        raise DataError(f"{source.origin}: expected labels that are text or whole numbers, got {labels.dtype}")
    return labels
