"""Arrays, written as lists."""

from __future__ import annotations

import numpy as np

from app.arrays import Array


def array(values: object) -> Array:
    """Return a float32 array."""
    return np.array(values, np.float32)
