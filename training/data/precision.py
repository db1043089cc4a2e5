"""
The columns of a file that lose digits at the input of the model's graphs, which is float32.

float32 has 24 binary digits: from 16 777 216 on it holds only every second whole number, and Unix seconds of today in
steps of 128. A column whose offset is large beside its spread loses part of its values, or all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.findings import MAX_LISTED_NAMES
from training.data.source import Source
from training.data.storage import comparable, shown

MAX_EXACT_IN_FLOAT32 = 2**24
"""Whole numbers up to this one are exact."""
MAX_NUMBERS = 2**22
"""Numbers that are compared; of larger data, blocks of neighbouring rows."""
MAX_ROWS = 2**16
"""Rows that are compared."""
BLOCKS = 16
"""Blocks of neighbouring rows, evenly spaced."""
FEW, MANY = 0.01, 0.25
"""Shares of a column's different values that become equal to others: some of a fine column's do so by chance."""
FINE_STEP = 1e-4
"""A step of float32, in units of the middle half of a column's values, that training cannot notice."""
ROUNDING = 8 * np.finfo(np.float64).eps
"""A relative difference between float64 values that is attributed to rounding in the program that wrote them."""


@dataclass(frozen=True)
class Loss:
    """A column of which float32 cannot tell all values apart."""

    column: int
    """Index of a column, or of an image's channel."""
    step: float
    """The distance between neighbouring float32 numbers at the column's largest value."""
    different: int
    """Different values in the rows that were compared."""
    left: int
    """Different values of these rows in float32."""


def find_losses(source: Source) -> list[Loss]:
    """Return the columns of which float32 merges values whose difference matters."""
    samples = source.samples
    if samples.dtype.itemsize <= 2 or samples.dtype.newbyteorder("=") == np.float32:  # exact in float32
        return []
    chosen = comparable(samples[_rows_to_compare(samples)])
    losses = (_loss(index, values) for index, values in _columns(chosen, source.kind == "image"))
    return [loss for loss in losses if loss is not None]


def describe_losses(source: Source, losses: list[Loss]) -> str:
    """Return one line that names the columns, the float32 step of each, and the remedy."""
    noun = "channel" if source.kind == "image" else "column"
    names = [
        f"{noun} {loss.column if noun == 'channel' else source.column_name(loss.column)} "
        f"in steps of {shown(loss.step)} ({loss.different} different values become {loss.left})"
        for loss in losses[:MAX_LISTED_NAMES]
    ]
    more = f" and {len(losses) - MAX_LISTED_NAMES} more" if len(losses) > MAX_LISTED_NAMES else ""
    remedy = "subtract an offset from it" if noun == "channel" else "subtract an offset from it, or leave it out"
    return f"the model's numbers are float32, which holds {', '.join(names)}{more}; {remedy}"


def _rows_to_compare(samples: npt.NDArray[Any]) -> slice | npt.NDArray[np.int64]:
    most = max(BLOCKS, min(MAX_ROWS, MAX_NUMBERS // max(1, samples[:1].size)))
    if len(samples) <= most:
        return slice(None)
    starts = np.linspace(0, len(samples) - most // BLOCKS, BLOCKS).astype(np.int64)
    return np.unique(starts[:, None] + np.arange(most // BLOCKS))


def _columns(samples: npt.NDArray[Any], are_images: bool) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Yield the numbers of each column, or of each channel, as far as float32 changes them."""
    for index in range(samples.shape[1]):
        values = samples[:, index].reshape(-1)
        values = values[:MAX_NUMBERS] if are_images else values
        if _is_changed(values):
            yield index, values


def _is_changed(values: npt.NDArray[Any]) -> bool:
    if values.dtype.kind in "iu":
        return max(-int(values.min()), int(values.max())) > MAX_EXACT_IN_FLOAT32
    return bool((values != values.astype(np.float32)).any())


def _loss(column: int, values: npt.NDArray[Any]) -> Loss | None:
    values = np.unique(values)
    is_whole = values.dtype.kind in "iu" or bool((values == np.floor(values)).all())
    if not is_whole:
        gaps = np.diff(values) > ROUNDING * np.abs(values[1:])
        values = values[np.concatenate([[True], gaps])]
    left = len(np.unique(values.astype(np.float32)))
    lost = (len(values) - left) / len(values)
    step = float(np.spacing(np.float32(max(abs(float(values[0])), abs(float(values[-1]))))))
    lower, upper = (float(value) for value in np.quantile(values.astype(np.float64), (0.25, 0.75)))
    if lost > MANY or (lost > FEW and (is_whole or step > FINE_STEP * (upper - lower))):
        return Loss(column, step, len(values), left)
    return None
