"""Missing values, in whose place the medians of the training part are put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.dataset import Split
from training.data.source import Source
from training.data.storage import Integers

Mask = npt.NDArray[np.bool_]


def fill_missing(sources: Sequence[Source], parts: Sequence[Split], rows: Sequence[Integers]) -> tuple[float, ...]:
    """
    Put the medians of the training part, which is the first, into all parts in place of missing values; return them.

    `sources` has the source of each part, and `rows` the rows of the part in its source. Returns nothing for columns
    without names.
    """
    if not sources[0].feature_names:
        return ()
    masks = [None if part.missing is None else part.missing[chosen] for part, chosen in zip(sources, rows, strict=True)]
    first = sources[0]
    fill = medians(parts[0].samples, masks[0], one_hot_groups(first.feature_names, first.one_hot))
    fill = fill.astype(np.float32)
    for part, mask in zip(parts, masks, strict=True):
        if mask is not None:
            np.copyto(part.samples, fill, where=mask, casting="unsafe")
    return tuple(fill.tolist())


def one_hot_groups(names: Sequence[str], one_hot: Mapping[str, tuple[str, ...]]) -> list[list[int]]:
    """Return the indices of the features of each one-hot column."""
    index = {name: number for number, name in enumerate(names)}
    return [[index[f"{column}={value}"] for value in values] for column, values in one_hot.items()]


def medians(samples: npt.NDArray[Any], missing: Mask | None, one_hot: Sequence[list[int]]) -> npt.NDArray[np.float64]:
    """
    Return the median of each column's numbers that are there; of one-hot columns, the most frequent value.

    Shape: (N, F) -> (F,)
    A column without any number gets the median of all its numbers, as they stand in.
    """
    fill = np.empty(samples.shape[1])
    for column in range(samples.shape[1]):
        present = samples[:, column] if missing is None else samples[~missing[:, column], column]
        fill[column] = np.median((present if len(present) else samples[:, column]).astype(np.float64))
    for group in one_hot:
        present = samples[:, group] if missing is None else samples[~missing[:, group[0]]][:, group]
        fill[group] = 0.0
        fill[group[int(present.sum(axis=0).argmax())]] = 1.0
    return fill
