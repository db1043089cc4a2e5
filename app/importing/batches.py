"""
Free the batch axis inside a graph.

Exporters that run an example write its batch size into the shapes of Reshape and Resize nodes. This module rewrites
them. `app.importing.proof` runs other batch sizes, and so finds graphs that fix theirs in another way.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper, shape_inference

from app.importing.reading import opset_of
from app.importing.surgery.batch_axes import batch_axes, reshaped_axis
from app.importing.surgery.pruning import dependent_names, input_names
from app.importing.surgery.recurrent import free_initial_states
from app.importing.tidy import small_constants

KnownShape = list[int | None]
"""A shape with None for each unknown size; empty if nothing is known."""
Integers = npt.NDArray[np.int64]

MIN_RESIZE_AXES_OPSET = 18
"""The first opset in which Resize can name the axes that it resizes."""


def free_batch_axis(model: onnx.ModelProto, batch_size: int) -> None:
    """Change nodes that write `batch_size` rows so that they accept any number: Reshape, Resize, recurrent nodes."""
    free_initial_states(model, batch_size)
    shapes, constants = _known_shapes(model), small_constants(model)
    inputs = input_names(model)
    variable, axes = dependent_names(model, inputs), batch_axes(model, inputs, shapes, constants)
    for index, node in enumerate(model.graph.node):
        target = constants.get(node.input[-1]) if node.op_type in ("Reshape", "Resize") else None
        if target is None or target.dtype != np.int64 or node.input[0] not in variable or not len(target):
            continue
        input_shape = shapes.get(node.input[0], [])
        if node.op_type == "Resize":
            if target[0] != batch_size or opset_of(model) < MIN_RESIZE_AXES_OPSET:
                continue
            new_target = _free_sizes(node, target, input_shape)
        else:
            new_target = _free_shape(node, target, input_shape, axes.get(node.input[0], 0), batch_size)
        name = f"free.{index}"
        model.graph.initializer.append(numpy_helper.from_array(new_target, name))
        node.input[-1] = name


def _free_shape(
    node: onnx.NodeProto, target: Integers, input_shape: KnownShape, axis: int, batch_size: int
) -> Integers:
    """
    Return the shape with 0 (copy the input's rows) or -1 (infer them) for the batch; unchanged if neither is possible.

    `axis` is the batch axis of the input.
    """
    zero_is_zero = any(attribute.name == "allowzero" and attribute.i for attribute in node.attribute)
    shape = target.copy()
    place = 0 if axis == 0 else reshaped_axis(axis, input_shape, target.tolist())
    if place is None or target[place] != batch_size:
        return shape
    if place == axis and input_shape[axis : axis + 1] == [batch_size] and not (zero_is_zero and 0 in target):
        shape[place] = 0
        _drop_attribute(node, "allowzero")
    elif -1 not in target:
        shape[place] = -1
    return shape


def _free_sizes(node: onnx.NodeProto, target: Integers, input_shape: KnownShape) -> Integers:
    """Return the sizes of only the resized axes; all sizes if the axes are already named or unknown."""
    named = any(attribute.name == "axes" for attribute in node.attribute)
    if named or len(input_shape) != len(target) or input_shape[0] != target[0]:
        return target
    axes = [axis for axis in range(1, len(target)) if input_shape[axis] != target[axis]]
    if not axes:
        return target
    node.attribute.append(helper.make_attribute("axes", axes))
    return target[axes]


def _drop_attribute(node: onnx.NodeProto, name: str) -> None:
    others = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend(others)


def _known_shapes(model: onnx.ModelProto) -> dict[str, KnownShape]:
    """Return the shapes that follow from the fixed batch size, by tensor; only the stated ones if none follow."""
    try:
        inferred = shape_inference.infer_shapes(model)
    except Exception:  # onnx raises a class of its own, for example for operators of onnxruntime
        inferred = model
    values = (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    return {
        value.name: [dim.dim_value if dim.HasField("dim_value") else None for dim in value.type.tensor_type.shape.dim]
        for value in values
        if value.type.tensor_type.HasField("shape")
    }
