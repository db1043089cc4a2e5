"""ONNX housekeeping that importing and training share: walk graphs, remove their origin, find randomness, compare."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

MAX_INSPECTED_CONSTANT_SIZE = 64
"""Numbers in a constant that `small_constants` returns: enough for shapes and switches, never weights."""
RANDOM_OPERATORS = {
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli",
}  # fmt: skip


@dataclass(frozen=True)
class Tolerance:
    """The allowed difference between two answers: `absolute` + `relative` * the largest expected number."""

    absolute: float
    relative: float

    def allows(self, difference: float, expected: npt.NDArray[Any]) -> bool:
        """Return whether the difference is small enough; NaN never is."""
        return difference <= self.absolute + self.relative * float(np.abs(expected).max())


def largest_difference(answer: npt.NDArray[Any], expected: npt.NDArray[Any]) -> float:
    """Return the largest absolute difference of two arrays; infinity if their shapes differ."""
    return float(np.abs(answer - expected).max()) if answer.shape == expected.shape else math.inf


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and, recursively, the graphs inside its nodes."""
    yield graph
    for node in graph.node:
        for inner in inner_graphs(node):
            yield from graphs(inner)


def inner_graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """Return the branches or the body of a node."""
    return [
        graph
        for attribute in node.attribute
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else []))
    ]


def nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Yield every node, including those of inner graphs and of the model's functions."""
    for graph in graphs(model.graph):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def small_constants(model: onnx.ModelProto) -> dict[str, npt.NDArray[Any]]:
    """Return the constants with at most MAX_INSPECTED_CONSTANT_SIZE numbers, by name."""
    constants = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if math.prod(tensor.dims) <= MAX_INSPECTED_CONSTANT_SIZE
    }
    for node in nodes(model):
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value" and math.prod(attribute.t.dims) <= MAX_INSPECTED_CONSTANT_SIZE:
                    constants[node.output[0]] = onnx.numpy_helper.to_array(attribute.t)
                elif attribute.name == "value_ints":
                    constants[node.output[0]] = np.array(attribute.ints, np.int64)
    return constants


def random_operators(model: onnx.ModelProto) -> list[str]:
    """Return the names of the operators that draw random numbers, sorted. Dropout draws only in training mode."""
    random = {node.op_type for node in nodes(model)} & RANDOM_OPERATORS
    constants = small_constants(model)
    for node in nodes(model):
        if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]:
            training = constants.get(node.input[2])
            if training is None or training.any():
                random.add("Dropout in training mode")
    return sorted(random)


def forget_origin(model: onnx.ModelProto) -> None:
    """Remove what exporters add for debugging: file paths, stack traces, and the shapes of their example."""
    for field in (model.metadata_props, model.training_info, model.graph.quantization_annotation):
        del field[:]
    model.ClearField("doc_string")
    for graph in graphs(model.graph):
        del graph.value_info[:]
        for item in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
            item.ClearField("doc_string")
            del item.metadata_props[:]
