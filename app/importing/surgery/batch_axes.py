"""The axis of the batch in each tensor of a graph, which transposes and recurrent nodes move."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import onnx

Shapes = Mapping[str, Sequence[int | None]]
Constants = Mapping[str, npt.NDArray[Any]]

RECURRENT_AXES = (2, 1, 1)
"""The batch axes of a recurrent node's outputs: all steps, the last state, the last cell."""


def batch_axes(model: onnx.ModelProto, inputs: Sequence[str], shapes: Shapes, constants: Constants) -> dict[str, int]:
    """Return the axis of the batch, by tensor, for the tensors that are calculated from the inputs."""
    axes = dict.fromkeys(inputs, 0)
    for node in model.graph.node:
        source = next((name for name in node.input if name in axes), None)
        if source is None:
            continue
        for index, output in enumerate(node.output):
            if output:
                axes[output] = _axis_after(node, index, source, axes[source], shapes, constants)
    return axes


def reshaped_axis(axis: int, shape: Sequence[int | None], target: Sequence[int]) -> int | None:
    """Return the axis of a reshaped tensor that holds the batch, or None if it is merged with another or unknown."""
    if len(shape) <= axis or None in shape:
        return 0 if axis == 0 else None
    before, size = math.prod(size or 1 for size in shape[:axis]), shape[axis]
    known = [length or (shape[at] if at < len(shape) else None) for at, length in enumerate(target)]
    total = math.prod(size or 1 for size in shape)
    rest = math.prod(length or 1 for length in known if length != -1)
    lengths = [total // rest if length == -1 and rest else length for length in known]
    fitting = [
        at
        for at, length in enumerate(lengths)
        if length == size and math.prod(other or 1 for other in lengths[:at]) == before
    ]
    if axis in fitting and len(lengths) == len(shape):
        return axis
    return fitting[0] if fitting else None


def _axis_after(node: onnx.NodeProto, index: int, source: str, axis: int, shapes: Shapes, constants: Constants) -> int:
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    match node.op_type:
        case "Transpose":
            order = attributes.get("perm")
            return order.index(axis) if order and axis in order else axis
        case "RNN" | "GRU" | "LSTM":
            return 0 if attributes.get("layout") else RECURRENT_AXES[index]
        case "Gather" if source == node.input[0]:
            indices = constants.get(node.input[1])
            moved = indices is not None and attributes.get("axis", 0) < axis
            return axis + indices.ndim - 1 if moved and indices is not None else axis
        case "Squeeze" | "Unsqueeze":
            listed = constants.get(node.input[-1])
            places = attributes.get("axes") or ([] if listed is None else listed.tolist())
            return _axis_beside(places, axis, node.op_type == "Unsqueeze")
        case "Reshape":
            target = constants.get(node.input[1])
            moved_to = None if target is None else reshaped_axis(axis, shapes.get(source, ()), target.tolist())
            return moved_to or 0
    before, after = shapes.get(source, ()), shapes.get(node.output[index], ())
    return axis + max(0, len(after) - len(before)) if len(after) >= len(before) else min(axis, max(0, len(after) - 1))


def _axis_beside(places: Sequence[int], axis: int, inserted: bool) -> int:
    """Return the axis after others of size 1 were inserted or removed."""
    if not inserted:
        return axis - sum(0 <= place < axis for place in places)
    for place in sorted(place for place in places if place >= 0):
        axis += place <= axis
    return axis
