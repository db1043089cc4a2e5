"""The steps between the contract's shape of a sample and the shape of a graph's rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, cast

from app.errors import UnfitGraph
from app.importing.steps import Step, reshape, transpose
from app.inputs import ArrayInput, ImageInput, VectorInput

Layout = Literal["channels-first", "channels-last"]
Shape = tuple[int, ...]
OpenShape = tuple[int | None, ...]
"""A shape with None for each size that a graph leaves open."""
SampleInput = ImageInput | VectorInput | ArrayInput


def to_graph_shape(name: str, samples: SampleInput, row_shape: OpenShape, layout: Layout | None) -> list[Step]:
    """Return the steps from the contract's shape to that of a graph's rows. Raises UnfitGraph if there are none."""
    shape = tuple(samples.shape)
    if isinstance(samples, VectorInput):
        steps = _window_steps(shape[0], tuple(samples.window), row_shape)
    elif len(shape) == 3 and shape[0] != 1:
        steps = _image_steps(name, shape, row_shape, layout)
    elif matches(row_shape, shape):
        steps = []
    else:
        target = _flat(row_shape, shape) or _without_single_axes(row_shape, shape)
        steps = [reshape(target)] if target else None
    if steps is None:
        hint = "; pass all sizes, such as --shape STEPS CHANNELS" if row_shape.count(None) > 1 else ""
        raise UnfitGraph(f"{name}: expected samples of shape {list(shape)}, got {describe_shape(row_shape)}{hint}")
    return steps


def _window_steps(size: int, window: Shape, row_shape: OpenShape) -> list[Step] | None:
    """Return the steps from a flat row to a graph's rows, whose axes must be those of the window if it has one."""
    if matches(row_shape, (size,)):
        return []
    if not window:
        target = _completed(row_shape, size)
        return [reshape(target)] if target else None
    if matches(row_shape, window):
        return [reshape(window)]
    if len(window) == 2 and matches(row_shape, window[::-1]):
        return [reshape(window), transpose((1, 0), "its two axes swapped")]
    target = _without_single_axes(row_shape, window)
    return [reshape(target)] if target else None


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


def from_graph_shape(name: str, samples: SampleInput, row_shape: Shape, layout: Layout | None) -> list[Step]:
    """Return the steps back, from a graph's rows to the contract's shape. Raises UnfitGraph if there are none."""
    shape = tuple(samples.shape)
    operators = [step.operators[0] for step in to_graph_shape(name, samples, row_shape, layout)]
    transposed = next((operator.attributes["perm"] for operator in operators if operator.name == "Transpose"), None)
    reshaped = any(operator.name == "Reshape" for operator in operators)
    if transposed is None:
        return [reshape(shape)] if reshaped else []
    if len(transposed) == 3:  # the two axes of a window, behind that of the batch
        return [transpose((1, 0), "its two axes swapped"), reshape(shape)]
    unflattened = [reshape((shape[1], shape[2], shape[0]))] if reshaped else []
    return [*unflattened, transpose((2, 0, 1), "channels moved to the first axis")]


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


def fits(row_shape: OpenShape, shape: Shape) -> bool:
    """Return whether a graph can take rows of this shape, perhaps with other axes of size 1, or flat."""
    flat = (math.prod(shape),)
    return matches(row_shape, shape) or matches(row_shape, flat) or bool(_without_single_axes(row_shape, shape))


def matches(row_shape: OpenShape, shape: Sequence[int]) -> bool:
    """Return whether a graph's rows can have this shape."""
    return len(row_shape) == len(shape) and all(
        size in (None, actual) for size, actual in zip(row_shape, shape, strict=True)
    )


def describe_shape(row_shape: OpenShape) -> str:
    """Return a shape for a message, with ? for each open size."""
    return f"[{', '.join('?' if size is None else str(size) for size in row_shape)}]"


def _completed(row_shape: OpenShape, size: int) -> Shape | None:
    """Return the graph's shape, at most one size of which is open, if it has `size` numbers, else None."""
    known = math.prod(length or 1 for length in row_shape)
    missing, rest = divmod(size, known)
    if rest or row_shape.count(None) > 1 or (None not in row_shape and missing != 1):
        return None
    return tuple(length or missing for length in row_shape)


def _flat(row_shape: OpenShape, shape: Shape) -> Shape | None:
    flat = (math.prod(shape),)
    return flat if matches(row_shape, flat) else None


def _without_single_axes(row_shape: OpenShape, shape: Shape) -> Shape | None:
    """Return the graph's shape if it differs from the other only in axes of size 1, else None."""
    if None in row_shape or [size for size in row_shape if size != 1] != [size for size in shape if size != 1]:
        return None
    return cast(Shape, tuple(row_shape))
