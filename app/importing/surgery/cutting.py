"""Make an encoder and a decoder of a whole autoencoder, by cutting its graph at the tensor of the latents."""

from __future__ import annotations

import math

import onnx
from onnx import TensorProto, helper, shape_inference

from app.errors import UnfitGraph
from app.importing.names import encoder_meaning, settle_encoder_words
from app.importing.surgery.pruning import dependent_names, drop_unused, input_names, names_used, replace

MAX_SEARCHED_NODES = 2000
"""Nodes of the largest graph in which places to cut are searched; the time grows with their square."""
MAX_SUGGESTIONS = 4


def cut(model: onnx.ModelProto, tensor: str, name: str) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """
    Return the part of a graph up to a tensor, and the part from it on. Raises UnfitGraph if it is no place to cut.

    The first part also has the graph's outputs that do not depend on the tensor, such as mu and logvar.
    """
    inputs = input_names(model)
    known = {output for node in model.graph.node for output in node.output if output}
    if tensor not in known:
        raise UnfitGraph(f"--cut: {name} has no tensor {tensor}{suggestion(model)}")
    outputs = [value.name for value in model.graph.output]
    behind = dependent_names(model, {tensor})
    samples = [output for output in outputs if output in behind and output != tensor]
    if not samples:
        raise UnfitGraph(f"--cut: no output of {name} depends on {tensor}{suggestion(model)}")
    if around := set(samples) & _dependent_around(model, tensor, inputs):
        raise UnfitGraph(
            f"--cut: {', '.join(sorted(around))} of {name} depends on {', '.join(inputs)} not only through {tensor}"
            f"{suggestion(model)}"
        )
    heads = [tensor, *(output for output in outputs if output not in behind)]
    if settle_encoder_words([encoder_meaning(head) for head in heads]) is None:
        heads = [tensor]
    value = _value(model, tensor)
    return _part(model, [value], heads, []), _part(model, [value], samples, [value])


def suggestion(model: onnx.ModelProto) -> str:
    """Return the end of a sentence about tensors at which the graph can be cut; empty if there are none."""
    places = cutting_places(model)[:MAX_SUGGESTIONS]
    return f"; it can be cut at {', '.join(places)}" if places else ""


def cutting_places(model: onnx.ModelProto) -> list[str]:
    """Return the tensors with the fewest numbers of those through which every path to an output leads, in order."""
    inputs, outputs = input_names(model), {value.name for value in model.graph.output}
    if len(model.graph.node) > MAX_SEARCHED_NODES:
        return []
    variable = dependent_names(model, inputs)
    sizes: dict[str, int] = {}
    shapes = _shapes(model)
    for node in model.graph.node:
        for tensor in node.output:
            size = shapes.get(tensor)
            if size is None or tensor in outputs or tensor not in variable:
                continue
            ends = outputs & dependent_names(model, {tensor})
            if ends and not ends & _dependent_around(model, tensor, inputs):
                sizes[tensor] = size
    return [tensor for tensor, size in sizes.items() if size == min(sizes.values())]


def _dependent_around(model: onnx.ModelProto, tensor: str, inputs: list[str]) -> set[str]:
    """Return the names that depend on the inputs by another way than through the tensor."""
    dependent = set(inputs)
    for node in model.graph.node:
        if dependent & names_used(node):
            dependent |= set(node.output) - {"", tensor}
    return dependent


def _part(
    model: onnx.ModelProto, values: list[onnx.ValueInfoProto], outputs: list[str], inputs: list[onnx.ValueInfoProto]
) -> onnx.ModelProto:
    """Return the graph with other outputs, and with other inputs if any are named."""
    part = onnx.ModelProto()
    part.CopyFrom(model)
    known = {value.name: value for value in (*part.graph.output, *values)}
    if inputs:
        names = {value.name for value in inputs}
        replace(part.graph.input, inputs)
        replace(part.graph.node, [node for node in part.graph.node if not names & set(node.output)])
    replace(part.graph.output, [known[name] for name in outputs])
    drop_unused(part, set(outputs))
    return part


def _value(model: onnx.ModelProto, tensor: str) -> onnx.ValueInfoProto:
    """Return the description of a tensor inside the graph: its type, and its shape with the input's batch axis."""
    inferred = _inferred(model)
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        if value.name == tensor and value.type.tensor_type.HasField("shape"):
            described = value.type.tensor_type
            sizes = [dim.dim_value or dim.dim_param or None for dim in described.shape.dim]
            return helper.make_tensor_value_info(tensor, described.elem_type, [sizes[0] or "batch", *sizes[1:]])
    return helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None)


def _shapes(model: onnx.ModelProto) -> dict[str, int]:
    """Return the count of numbers in a row of each tensor whose shape is known."""
    rows: dict[str, int] = {}
    for value in _inferred(model).graph.value_info:
        sizes = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if len(sizes) > 1 and all(sizes[1:]) and value.type.tensor_type.elem_type in _FLOATS:
            rows[value.name] = math.prod(sizes[1:])
    return rows


_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE}


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with the shapes that follow from its inputs."""
    try:
        return shape_inference.infer_shapes(model)
    except Exception:  # onnx raises a class of its own, for example for operators of onnxruntime
        return model
