"""Arrays of 8-bit levels, which mean what an image file's mean: for `app.formats.npy` and the tensors of /v2."""

from __future__ import annotations

import numpy as np

from app.arrays import Array, Rows
from app.errors import InvalidInput


def numbers_from_levels(levels: Rows, unit: float, member: str) -> Array:
    """
    Return the numbers that 8-bit levels stand for: `unit` for each level.

    Raises InvalidInput if no level is above 1, since an array of 0 and 1 may be either levels or numbers.
    """
    if levels.max(initial=0) == 1:
        raise InvalidInput(
            f"{member}: 8-bit numbers are levels, of which 255 is white, but none of these is above 1; "
            f"send 0 and 1 as float32 or as booleans"
        )
    return levels.astype(np.float32) * np.float32(unit)
