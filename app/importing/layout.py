"""What a sample is, and the steps from its shape in the contract to a graph's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, cast

from app.errors import UnfitGraph
from app.importing.steps import Step, reshape, transpose

Layout = Literal["channels-first", "channels-last"]
Shape = tuple[int, ...]
Pattern = tuple[int | None, ...]
"""A shape with None where a graph does not say."""

CHANNELS = (1, 3)


def sample_shape(name: str, row: Pattern, layout: Layout | None) -> Shape:
    """
    The contract's shape of a sample, (channels, height, width) or (features,), read from the encoder's input.

    Raises UnfitGraph where the graph does not say enough.
    """
    if None in row:
        raise UnfitGraph(f"{name} does not say its input's whole shape, only {pattern(row)}: --shape must name it")
    known = cast(Shape, row)
    if len(known) == 1:
        return known
    if len(known) == 2:
        return (1, *known)
    if len(known) != 3:
        raise UnfitGraph(f"{name}: expected rows of a table or images, got rows of shape {list(known)}")
    first, last = known, (known[2], known[0], known[1])
    fitting = {
        shape for shape, said in ((first, "channels-first"), (last, "channels-last"))
        if shape[0] in CHANNELS and layout in (None, said)
    }  # fmt: skip
    if len(fitting) > 1:
        raise UnfitGraph(f"{name}: images of shape {list(known)} may have their channels first or last: say --layout")
    if not fitting:
        where = layout or "channels-first or channels-last"
        raise UnfitGraph(f"{name}: expected images with 1 or 3 channels, {where}, got shape {list(known)}")
    return fitting.pop()


def into(name: str, shape: Shape, row: Pattern, layout: Layout | None) -> list[Step]:
    """The steps from the contract's shape to that of a graph's rows. Raises UnfitGraph where there are none."""
    if len(shape) == 3 and not _alike(shape):
        first, last = shape, (shape[1], shape[2], shape[0])
        fits_first = layout in (None, "channels-first") and matches(row, first)
        fits_last = layout in (None, "channels-last") and matches(row, last)
        if fits_first and fits_last:
            raise UnfitGraph(f"{name}: its images may have their channels first or last: say --layout")
        if fits_first:
            return []
        to_last = transpose((1, 2, 0), "channels moved to the last axis")
        if fits_last:
            return [to_last]
        flat = _flat(row, shape)
        if flat and layout is None:
            raise UnfitGraph(f"{name} takes or gives flat images of {shape[0]} channels: say --layout")
        if flat:
            return [*([to_last] if layout == "channels-last" else []), reshape(flat)]
    elif matches(row, shape):
        return []
    elif same := _flat(row, shape) or _squeezed(row, shape):
        return [reshape(same)]
    raise UnfitGraph(f"{name}: expected samples of shape {list(shape)}, got {pattern(row)}")


def out_of(name: str, shape: Shape, row: Shape, layout: Layout | None) -> list[Step]:
    """The steps back, from a graph's rows to the contract's shape. Raises UnfitGraph where there are none."""
    steps = into(name, shape, row, layout)
    moved = any(step.operators[0].name == "Transpose" for step in steps)
    flat = any(step.operators[0].name == "Reshape" for step in steps)
    there = (shape[1], shape[2], shape[0]) if moved else shape
    back = [reshape(there)] if flat else []
    return [*back, transpose((2, 0, 1), "channels moved to the first axis")] if moved else back


def latents_into(decoder: str, shape: Shape, row: Pattern) -> list[Step]:
    """
    The steps from flat latents to the decoder's rows, which must have the shape of the encoder's.

    Raises UnfitGraph where they have not: in which order a graph would flatten an image's latents is not known.
    """
    flat = (math.prod(shape),)
    if matches(row, flat) and _squeezed(flat, shape):
        return []
    same = shape if matches(row, shape) else _squeezed(row, shape)
    if same:
        return [reshape(same)]
    raise UnfitGraph(f"{decoder}: expected to take the encoder's latents, {list(shape)} a sample, got {pattern(row)}")


def matches(row: Pattern, shape: Sequence[int]) -> bool:
    """Whether a graph's rows can have this shape."""
    return len(row) == len(shape) and all(size in (None, real) for size, real in zip(row, shape, strict=True))


def pattern(row: Pattern) -> str:
    """A shape for a person."""
    return f"[{', '.join('?' if size is None else str(size) for size in row)}]"


def _alike(shape: Shape) -> bool:
    """Whether channels first and channels last are the same numbers in the same order."""
    return shape[0] == 1


def _flat(row: Pattern, shape: Shape) -> Shape | None:
    flat = (math.prod(shape),)
    return flat if matches(row, flat) else None


def _squeezed(row: Pattern, shape: Shape) -> Shape | None:
    """The graph's shape, where it differs in axes of one place alone."""
    if None in row or [size for size in row if size != 1] != [size for size in shape if size != 1]:
        return None
    return cast(Shape, tuple(row))
