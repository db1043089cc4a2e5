"""What an autoencoder refuses to calculate with, and what it refuses to answer: in the user's words."""

from __future__ import annotations

from collections.abc import Sequence

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


def check_rows(what: str, rows: Array, accepted: Sequence[tuple[int, ...]], value_range: ValueRange | None) -> Array:
    """
    The rows in the first of the accepted shapes: contiguous, float32, finite, and within the range if there is one.

    Raises EmptyBatch, WrongShape, NotFinite or OutOfRange.
    """
    if rows.ndim == 0 or len(rows) == 0:
        raise EmptyBatch(f"{what}: expected at least one row, got none")
    if rows.shape[1:] not in accepted:
        expected = " or ".join(str(["rows", *shape]).replace("'", "") for shape in accepted)
        hint = "; one row alone must still be in a list" if rows.shape in accepted else ""
        raise WrongShape(f"{what}: expected shape {expected}, got {list(rows.shape)}{hint}")
    if value_range and not _plainly_within(rows, value_range):
        low, high = rows.min(), rows.max()  # of which both are NaN where one number is
        if not (low >= value_range.low and high <= value_range.high):
            _check_finite(what, rows)
            raise OutOfRange(
                f"{what}: expected numbers from {value_range.low:g} to {value_range.high:g}, got {low} to {high}"
            )
    elif not value_range:
        _check_finite(what, rows)
    return np.ascontiguousarray(rows.reshape(len(rows), *accepted[0]), dtype=np.float32)


def _plainly_within(rows: Array, value_range: ValueRange) -> bool:
    """
    Whether all numbers lie in a range from 0, seen in one pass; False also where only the careful passes can tell.

    float32 numbers from 0 on are in the order of their bits, read as whole numbers; negative ones and NaN come after.
    Source: IEEE 754-2019, section 3.4
    """
    if value_range.low != 0 or rows.dtype != np.float32:
        return False
    highest = np.float32(value_range.high)
    return bool(highest <= value_range.high and rows.view(np.uint32).max() <= highest.view(np.uint32))


def finite(what: str, result: Array) -> Array:
    """The same. Raises NotFinite, since JSON could only say null."""
    if not np.isfinite(result).all():
        raise NotFinite(f"expected numbers that the model can calculate with, but they lead to infinite {what}")
    return result


def _check_finite(what: str, rows: Array) -> None:
    if not np.isfinite(rows).all():
        at = [int(index) for index in np.argwhere(~np.isfinite(rows))[0]]
        raise NotFinite(f"{what}: expected finite float32 numbers, got {rows[tuple(at)]} at {at}")
