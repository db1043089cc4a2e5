"""The samples of an imported model, from the options and the shape of the encoder's input."""

from __future__ import annotations

import math
from typing import cast

from pydantic import ValidationError

from app.errors import UnfitGraph
from app.importing.layout import Layout, OpenShape, SampleInput, Shape, describe_shape
from app.importing.request import ImportRequest
from app.inputs import ArrayInput, ImageInput, ValueRange, VectorInput

IMAGE_CHANNELS = (1, 3)
MAX_ARRAY_AXES = 4
"""Axes of the deepest array that the service documents: channels, depth, rows, columns."""
MIN_IMAGE_SIDE = 6
"""Rows with two axes and a range are pictures if no side is shorter; others are windows of a series."""


def read_samples(request: ImportRequest, name: str, row_shape: OpenShape) -> SampleInput:
    """
    Return the manifest's description of a sample. Raises UnfitGraph.

    Rows of numbers without channels become a vector, with their shape as its window.
    """
    try:
        value_range = (
            ValueRange(low=request.value_range[0], high=request.value_range[1]) if request.value_range else None
        )
        shape = request.shape or _shape_of_graph(name, row_shape, request.layout, value_range is not None)
        if len(shape) <= 2:
            size = math.prod(shape)
            window = _window(shape if len(shape) > 1 else row_shape, size)
            return VectorInput(
                shape=(size,), value_range=value_range, feature_names=request.feature_names, window=window
            )
        if request.feature_names:
            raise UnfitGraph("--feature-names: only the columns of a table have names, not pixels")
        if len(shape) == 3 and shape[0] in IMAGE_CHANNELS:
            if value_range is None:
                raise UnfitGraph(
                    "the samples are images: pass the values of black and white, such as --range 0 1; for numbers "
                    f"without a range, pass --shape {math.prod(shape)}"
                )
            return ImageInput(shape=shape, value_range=value_range)
        if len(shape) > MAX_ARRAY_AXES:
            raise UnfitGraph(
                f"{name}: expected samples of at most {MAX_ARRAY_AXES} axes, got {list(shape)}: pass --shape "
                f"{math.prod(shape)} for flat rows"
            )
        return ArrayInput(shape=shape, value_range=value_range)
    except ValidationError as error:
        raise UnfitGraph(f"the samples: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def sample_notes(request: ImportRequest, samples: SampleInput, row_shape: OpenShape) -> list[str]:
    """Return what a person should know about a choice between pictures and rows of numbers."""
    if request.shape is not None:
        return []
    if isinstance(samples, ImageInput) and len(row_shape) == 2:
        size = math.prod(samples.shape)
        return [f"the samples are taken for grey images; if they are series, pass --shape {size}"]
    if isinstance(samples, VectorInput) and len(samples.window) == 2 and min(samples.window) >= MIN_IMAGE_SIDE:
        return ["the samples are taken for rows of numbers; if they are grey images, pass --range LOW HIGH"]
    return []


def _shape_of_graph(name: str, row_shape: OpenShape, layout: Layout | None, has_range: bool) -> Shape:
    """Return the contract's shape of a sample from the encoder's input. Raises UnfitGraph if it is open."""
    if None in row_shape:
        raise UnfitGraph(f"{name} leaves its input's shape open, {describe_shape(row_shape)}: pass --shape")
    shape = cast(Shape, row_shape)
    if len(shape) == 2 and has_range and min(shape) >= MIN_IMAGE_SIDE:
        return (1, *shape)
    if len(shape) == 3:
        return _channels_first(name, shape, layout)
    return shape


def _channels_first(name: str, shape: Shape, layout: Layout | None) -> Shape:
    """Return an image's shape with the channels first, and other shapes as they are. Raises UnfitGraph."""
    candidates: dict[Layout, Shape] = {"channels-first": shape, "channels-last": (shape[2], shape[0], shape[1])}
    fitting = {candidate for candidate in candidates.values() if candidate[0] in IMAGE_CHANNELS}
    if layout:
        if fitting and candidates[layout] not in fitting:
            raise UnfitGraph(f"{name}: expected images with 1 or 3 channels, {layout}, got shape {list(shape)}")
        return candidates[layout]
    if len(fitting) > 1:
        raise UnfitGraph(f"{name}: images of shape {list(shape)} may have their channels first or last: pass --layout")
    return fitting.pop() if fitting else shape


def _window(row_shape: OpenShape, size: int) -> Shape:
    """Return the shape before samples are flattened, or nothing if only one axis is longer than 1."""
    open_axes = row_shape.count(None)
    known = math.prod(length or 1 for length in row_shape)
    if open_axes > 1 or size % known or (not open_axes and known != size):
        return ()
    window = tuple(length or size // known for length in row_shape)
    return window if sum(length > 1 for length in window) > 1 else ()
