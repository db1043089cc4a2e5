"""The shape of a sample in the contract, and the steps between it and the shape of a graph's rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, cast

from app.errors import UnfitGraph
from app.importing.steps import Step, reshape, transpose

Layout = Literal["channels-first", "channels-last"]
Shape = tuple[int, ...]
OpenShape = tuple[int | None, ...]
"""A shape with None for each size that a graph leaves open."""

IMAGE_CHANNELS = (1, 3)


def sample_shape(name: str, row_shape: OpenShape, layout: Layout | None) -> Shape:
    """
    Return the contract's shape of a sample, (channels, height, width) or (features,), from the encoder's input.

    Raises UnfitGraph if the graph leaves it open.
    """
    if None in row_shape:
        raise UnfitGraph(f"{name} leaves its input's shape open, {describe_shape(row_shape)}: pass --shape")
    shape = cast(Shape, row_shape)
    if len(shape) == 1:
        return shape
    if len(shape) == 2:
        return (1, *shape)
    if len(shape) != 3:
        raise UnfitGraph(f"{name}: expected rows of a table or images, got rows of shape {list(shape)}")
    return _image_shape(name, shape, layout)


def _image_shape(name: str, shape: Shape, layout: Layout | None) -> Shape:
    """Return the shape with the channels first, if it is clear which axis holds them. Raises UnfitGraph."""
    candidates: dict[Layout, Shape] = {"channels-first": shape, "channels-last": (shape[2], shape[0], shape[1])}
    fitting = {
        candidate
        for order, candidate in candidates.items()
        if candidate[0] in IMAGE_CHANNELS and layout in (None, order)
    }
    if len(fitting) > 1:
        raise UnfitGraph(f"{name}: images of shape {list(shape)} may have their channels first or last: pass --layout")
    if not fitting:
        order = layout or "channels-first or channels-last"
        raise UnfitGraph(f"{name}: expected images with 1 or 3 channels, {order}, got shape {list(shape)}")
    return fitting.pop()


def to_graph_shape(name: str, shape: Shape, row_shape: OpenShape, layout: Layout | None) -> list[Step]:
    """Return the steps from the contract's shape to that of a graph's rows. Raises UnfitGraph if there are none."""
    if len(shape) == 3 and not _layouts_agree(shape):
        steps = _image_steps(name, shape, row_shape, layout)
        if steps is not None:
            return steps
    elif matches(row_shape, shape):
        return []
    elif target := _flat(row_shape, shape) or _without_single_axes(row_shape, shape):
        return [reshape(target)]
    raise UnfitGraph(f"{name}: expected samples of shape {list(shape)}, got {describe_shape(row_shape)}")


def _image_steps(name: str, shape: Shape, row_shape: OpenShape, layout: Layout | None) -> list[Step] | None:
    """Return the steps for images whose layout matters, or None if the shapes do not fit. Raises UnfitGraph."""
    fits_first = layout in (None, "channels-first") and matches(row_shape, shape)
    fits_last = layout in (None, "channels-last") and matches(row_shape, (shape[1], shape[2], shape[0]))
    if fits_first and fits_last:
        raise UnfitGraph(f"{name}: its images may have their channels first or last: pass --layout")
    if fits_first:
        return []
    to_last = transpose((1, 2, 0), "channels moved to the last axis")
    if fits_last:
        return [to_last]
    flat = _flat(row_shape, shape)
    if flat is None:
        return None
    if layout is None:
        raise UnfitGraph(f"{name} takes or gives flat images of {shape[0]} channels: pass --layout")
    return [to_last, reshape(flat)] if layout == "channels-last" else [reshape(flat)]


def from_graph_shape(name: str, shape: Shape, row_shape: Shape, layout: Layout | None) -> list[Step]:
    """Return the steps back, from a graph's rows to the contract's shape. Raises UnfitGraph if there are none."""
    operators = {step.operators[0].name for step in to_graph_shape(name, shape, row_shape, layout)}
    channels_last = "Transpose" in operators
    unflattened = (shape[1], shape[2], shape[0]) if channels_last else shape
    steps = [reshape(unflattened)] if "Reshape" in operators else []
    return [*steps, transpose((2, 0, 1), "channels moved to the first axis")] if channels_last else steps


def latents_to_graph_shape(decoder: str, shape: Shape, row_shape: OpenShape) -> list[Step]:
    """
    Return the steps from flat latents to the decoder's rows, which must have the shape of the encoder's.

    Raises UnfitGraph if they do not: the order in which a graph would flatten an image's latents is unknown.
    """
    flat = (math.prod(shape),)
    if matches(row_shape, flat) and _without_single_axes(flat, shape):
        return []
    target = shape if matches(row_shape, shape) else _without_single_axes(row_shape, shape)
    if target:
        return [reshape(target)]
    raise UnfitGraph(
        f"{decoder}: expected to take the encoder's latents, {list(shape)} per sample, got {describe_shape(row_shape)}"
    )


def matches(row_shape: OpenShape, shape: Sequence[int]) -> bool:
    """Return whether a graph's rows can have this shape."""
    return len(row_shape) == len(shape) and all(
        size in (None, actual) for size, actual in zip(row_shape, shape, strict=True)
    )


def describe_shape(row_shape: OpenShape) -> str:
    """Return a shape for a message, with ? for each open size."""
    return f"[{', '.join('?' if size is None else str(size) for size in row_shape)}]"


def _layouts_agree(shape: Shape) -> bool:
    """Return whether channels first and channels last are the same numbers in the same order."""
    return shape[0] == 1


def _flat(row_shape: OpenShape, shape: Shape) -> Shape | None:
    flat = (math.prod(shape),)
    return flat if matches(row_shape, flat) else None


def _without_single_axes(row_shape: OpenShape, shape: Shape) -> Shape | None:
    """Return the graph's shape if it differs from the other only in axes of size 1, else None."""
    if None in row_shape or [size for size in row_shape if size != 1] != [size for size in shape if size != 1]:
        return None
    return cast(Shape, tuple(row_shape))
