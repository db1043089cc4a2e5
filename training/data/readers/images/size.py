"""The choice of the one size that all images of a folder are resized to."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from training.data.readers.images.decode import Size
from training.data.source import MAX_SIDE_PIXELS, MIN_SIDE_PIXELS

DEFAULT_SIDE_PIXELS = 64
"""The longer side of images that must be resized, unless the configuration says otherwise or they are smaller."""
STEP_PIXELS = 8
"""Sides are multiples of it, which three layers of strided convolutions divide without a rest."""


class ChosenSize(NamedTuple):
    """A size, and what the findings say about it."""

    size: Size
    resizes: bool
    note: str = ""


def choose_size(sizes: Sequence[Size], configured: Size | None) -> ChosenSize:
    """
    Return the size of all samples: the configured one, or that of all images if it is allowed, or a default.

    The default keeps the shape of the median image.
    """
    least, most = min(sizes), max(sizes)
    origin = _shown(least) if least == most else f"{_shown(least)} to {_shown(most)}"
    if configured is not None:
        return ChosenSize(configured, True, f"{_shown(configured)} (height x width), from {origin}")
    if least == most and min(least) >= MIN_SIDE_PIXELS and max(least) <= MAX_SIDE_PIXELS:
        return ChosenSize(least, False)
    height, width = (median(size[axis] for size in sizes) for axis in (0, 1))
    scale = min(1.0, DEFAULT_SIDE_PIXELS / max(height, width))
    size = (_rounded(height * scale), _rounded(width * scale))
    return ChosenSize(
        size, True, f"{_shown(size)} (height x width), resized from {origin}; --image-size H W chooses another size"
    )


def _rounded(side: float) -> int:
    return max(MIN_SIDE_PIXELS, STEP_PIXELS * round(side / STEP_PIXELS))


def _shown(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
