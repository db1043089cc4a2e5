"""
The batch axis made free, inside the graph too.

Exporters that are given an example write its batch size into the shapes of Reshape and Resize nodes. Those are
rewritten; whether that was all is for the proof to find out, which runs other batch sizes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper, shape_inference

from app.importing.reading import opset_of
from app.importing.tidy import small_constants

Shape = list[int | None]
Integers = npt.NDArray[np.int64]

RESIZE_HAS_AXES = 18
"""The opset from which Resize can leave axes alone."""


def free_batch_axis(model: onnx.ModelProto, size: int) -> None:
    """Let nodes that make rows of so many make any number of them."""
    shapes, constants = _known_shapes(model), small_constants(model)
    moving = _depend_on_input(model)
    for index, node in enumerate(model.graph.node):
        target = constants.get(node.input[-1]) if node.op_type in ("Reshape", "Resize") else None
        if target is None or target.dtype != np.int64 or node.input[0] not in moving or not len(target):
            continue
        given = shapes.get(node.input[0], [])
        if target[0] != size or (node.op_type == "Resize" and opset_of(model) < RESIZE_HAS_AXES):
            continue
        freed = _freed_shape(node, target, given) if node.op_type == "Reshape" else _freed_sizes(node, target, given)
        name = f"free.{index}"
        model.graph.initializer.append(numpy_helper.from_array(freed, name))
        node.input[-1] = name


def _freed_shape(node: onnx.NodeProto, target: Integers, given: Shape) -> Integers:
    """The shape with 0, as many rows as are given, or -1, as many as the numbers make; as is where neither can be."""
    zero_is_zero = any(attribute.name == "allowzero" and attribute.i for attribute in node.attribute)
    freed = target.copy()
    if given[:1] == [target[0]] and not (zero_is_zero and 0 in target):
        freed[0] = 0
        _drop_attribute(node, "allowzero")
    elif -1 not in target:
        freed[0] = -1
    return freed


def _freed_sizes(node: onnx.NodeProto, target: Integers, given: Shape) -> Integers:
    """The sizes of the axes that are resized, alone; as is where these are named already or not known."""
    if len(given) != len(target) or given[0] != target[0] or any(a.name == "axes" for a in node.attribute):
        return target
    axes = [axis for axis in range(1, len(target)) if given[axis] != target[axis]]
    if not axes:
        return target
    node.attribute.append(helper.make_attribute("axes", axes))
    return target[axes]


def _drop_attribute(node: onnx.NodeProto, name: str) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)


def _known_shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Shapes as they follow from the fixed batch size, with None where they do not."""
    inferred = shape_inference.infer_shapes(model)
    values = (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    return {
        value.name: [dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim]
        for value in values
        if value.type.tensor_type.HasField("shape")
    }


def _depend_on_input(model: onnx.ModelProto) -> set[str]:
    """Names of tensors that are calculated from the graph's inputs."""
    constant = {tensor.name for tensor in model.graph.initializer}
    moving = {value.name for value in model.graph.input} - constant
    for node in model.graph.node:
        if moving & set(node.input):
            moving |= set(node.output)
    return moving
