"""Labels as they came, to numbers into the sorted classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.dataset import Numbers
from training.data.source import Source
from training.errors import DataError


def number_labels(sources: Sequence[Source]) -> tuple[tuple[str, ...], list[Numbers | None]]:
    """
    The classes of all sources, numbers in numeric order, and for each source its labels as numbers into them.

    Text, whole numbers and booleans are labels. Raises DataError, with the row.
    """
    found = [_checked(source) for source in sources]
    labels = [part for part in found if part is not None]
    if not labels:
        return (), [None] * len(found)
    values, numbers = np.unique(np.concatenate(labels), return_inverse=True)
    classes = [str(value) for value in values]
    if all(re.fullmatch(r"-?\d+", name) for name in classes):
        order = sorted(range(len(classes)), key=lambda index: (int(classes[index]), classes[index]))
    else:
        order = list(range(len(classes)))
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    ends = np.cumsum([len(part) for part in labels])[:-1]
    return tuple(classes[index] for index in order), [*np.split(position[numbers], ends)]


def _checked(source: Source) -> npt.NDArray[Any] | None:
    """Text or whole numbers, (N,)."""
    labels = source.labels
    if labels is None:
        return None
    if labels.shape != (len(source.samples),):
        raise DataError(f"{source.origin}: expected {len(source.samples)} labels, got shape {labels.shape}")
    if labels.dtype.kind == "f":
        whole = np.isfinite(labels) & (np.floor(labels) == labels)
        if not whole.all():
            row = int(whole.argmin())
            raise DataError(
                f"{source.where(row)}: expected a label that is text or a whole number, got {labels[row]:g}"
            )
        return labels.astype(np.int64)
    if labels.dtype.kind == "S":
        return np.char.decode(labels, "utf-8")
    if labels.dtype.kind == "b":
        return labels.astype(np.str_)
    if labels.dtype.kind not in "iuU":
        raise DataError(f"{source.origin}: expected labels that are text or whole numbers, got {labels.dtype}")
    return labels
