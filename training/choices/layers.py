"""The layers of a network, by the size of the samples."""

from __future__ import annotations

import math

CONV: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...] = (
    (12, (32, 64), (1, 1)),
    (40, (32, 64, 128), (0, 1, 1)),
    (80, (24, 48, 96, 128), (0, 0, 1, 1)),
    (160, (16, 32, 64, 128, 128), (0, 0, 0, 1, 1)),
    (256, (16, 24, 48, 96, 128, 128), (0, 0, 0, 0, 1, 1)),
)
"""Largest side, widths and residual blocks: the outer layers of large images are narrow, since each pixel costs."""
MIN_UNITS, MAX_UNITS = 64, 512
UNITS_PER_COLUMN = 4


def conv_layers(height: int, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the widths and the residual blocks for images; the innermost map has about 4 pixels a side."""
    side = math.sqrt(height * width)
    return next((widths, blocks) for most, widths, blocks in CONV if side <= most)


def dense_widths(size: int) -> tuple[int, ...]:
    """Return two widths for samples of `size` numbers."""
    outer = min(MAX_UNITS, max(MIN_UNITS, UNITS_PER_COLUMN * size))
    return outer, outer // 2
