"""What an autoencoder refuses to calculate with, and what it refuses to answer: in the user's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from app.errors import EmptyBatch, NotFinite, OutOfRange, WrongShape
from app.manifest import ImageInput, Manifest, ValueRange

Array = npt.NDArray[np.float32]


def accepted_shapes(manifest: Manifest) -> list[tuple[int, ...]]:
    """The shapes that a sample may come in: its own, flat, and a one-channel image's without the channel axis."""
    shape = manifest.input_shape
    accepted = [shape]
    if len(shape) > 1:
        accepted.append((manifest.input_size,))
    if isinstance(manifest.input, ImageInput) and shape[0] == 1:
        accepted.append(shape[1:])
    return accepted


class RowCheck:
    """
    What the samples, or the latents, of a model must be. Called with rows, it gives them in the first of the accepted
    shapes: contiguous, float32, finite, and within the range if there is one.

    Raises EmptyBatch, WrongShape, NotFinite or OutOfRange.
    """

    def __init__(self, what: str, accepted: Sequence[tuple[int, ...]], value_range: ValueRange | None) -> None:
        self._what = what
        self._accepted = accepted
        self._range = value_range
        self._highest = _highest_bits(value_range)

    def __call__(self, rows: Array) -> Array:
        """The same rows."""
        if rows.ndim == 0 or len(rows) == 0:
            raise EmptyBatch(f"{self._what}: expected at least one row, got none")
        if rows.shape[1:] not in self._accepted:
            self._tell_shape(rows)
        if not self._plainly_within(rows):
            self._look_closely(rows)
        return np.ascontiguousarray(rows.reshape(len(rows), *self._accepted[0]), dtype=np.float32)

    def _plainly_within(self, rows: Array) -> bool:
        """
        Whether all numbers lie in a range from 0, seen in one pass; False also where only the careful ones can tell.

        float32 numbers from 0 on are in the order of their bits, read as whole numbers; negative ones and NaN come
        after. Source: IEEE 754-2019, section 3.4
        """
        if self._highest is None or rows.dtype != np.float32:
            return False
        return bool(np.maximum.reduce(rows.view(np.uint32), axis=None) <= self._highest)

    def _look_closely(self, rows: Array) -> None:
        if self._range is None:
            return _check_finite(self._what, rows)
        low, high = rows.min(), rows.max()  # of which both are NaN where one number is
        if not (low >= self._range.low and high <= self._range.high):
            _check_finite(self._what, rows)
            raise OutOfRange(
                f"{self._what}: expected numbers from {self._range.low:g} to {self._range.high:g}, got {low} to {high}"
            )
        return None

    def _tell_shape(self, rows: Array) -> NoReturn:
        expected = " or ".join(str(["rows", *shape]).replace("'", "") for shape in self._accepted)
        hint = "; one row alone must still be in a list" if rows.shape in self._accepted else ""
        raise WrongShape(f"{self._what}: expected shape {expected}, got {list(rows.shape)}{hint}")


def _highest_bits(value_range: ValueRange | None) -> int | None:
    """The bits of the end of a range from 0, as a whole number; None of another."""
    if value_range is None or value_range.low != 0:
        return None
    return int(np.float32(value_range.high).view(np.uint32))


def finite(what: str, result: Array) -> Array:
    """The same. Raises NotFinite, since JSON could only say null."""
    if not np.logical_and.reduce(np.isfinite(result), axis=None):
        raise NotFinite(f"expected numbers that the model can calculate with, but they lead to infinite {what}")
    return result


def _check_finite(what: str, rows: Array) -> None:
    if not np.isfinite(rows).all():
        at = [int(index) for index in np.argwhere(~np.isfinite(rows))[0]]
        raise NotFinite(f"{what}: expected finite float32 numbers, got {rows[tuple(at)]} at {at}")
