"""
Copies of graphs whose large weights have 8 bits, for a graph that holds others, and need not be as large as all.

Each number is a whole one between -127 and 127, times a factor of its row. Nodes multiply them when a graph is loaded,
so that its runs are as fast, and all arithmetic is float32.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

from app.arrays import Array

AnyModule = TypeVar("AnyModule", bound=nn.Module)

MIN_NUMBERS = 2**14
"""Numbers of a tensor from which it is stored in 8 bits."""
LARGEST = 127
MAX_ERROR = 1e-3
"""The error, in steps, up to which a weight counts as having 8 bits: that of float32 is smaller."""
INTEGERS, FACTORS = ".int8", ".factors"


def write_coarse_copy(graph: Path, target: Path) -> None:
    """Write a copy of a graph, in which every weight of at least MIN_NUMBERS numbers has 8 bits."""
    model = onnx.load(graph)
    store_as_bytes(model)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def rounded_to_bytes(module: AnyModule) -> AnyModule:
    """Return a copy whose large weights are rounded to numbers that have 8 bits, so that graphs can store them so."""
    rounded = copy.deepcopy(module)
    with torch.no_grad():
        for weight in rounded.parameters():
            if weight.numel() >= MIN_NUMBERS:
                integers, factors = split(weight.numpy())
                weight.copy_(torch.from_numpy(integers * factors))
    return rounded


def store_as_bytes(model: onnx.ModelProto, *, lossless: bool = False) -> None:
    """
    Store large weights, of float32 or of float16 that is cast to it, in 8 bits, with nodes that restore them.

    With `lossless`, only those that were `rounded_to_bytes`.
    """
    graph = model.graph
    casts = {node.input[0]: node for node in graph.node if node.op_type == "Cast" and _is_to_float(node)}
    inputs = {value.name for value in graph.input}
    kept, restoring = [], []
    for tensor in graph.initializer:
        weights = numpy_helper.to_array(tensor)
        cast = casts.get(tensor.name) if weights.dtype == np.float16 else None
        is_weight = (weights.dtype == np.float32 or cast) and tensor.name not in inputs
        if weights.size < MIN_NUMBERS or not is_weight or (lossless and not _is_rounded(weights)):
            kept.append(tensor)
            continue
        name = cast.output[0] if cast else tensor.name
        if cast:
            graph.node.remove(cast)
        integers, factors = split(weights.astype(np.float32))
        kept.append(numpy_helper.from_array(integers, f"{name}{INTEGERS}"))
        kept.append(numpy_helper.from_array(factors, f"{name}{FACTORS}"))
        restoring.append(helper.make_node("Cast", [f"{name}{INTEGERS}"], [f"{name}.cast"], to=onnx.TensorProto.FLOAT))
        restoring.append(helper.make_node("Mul", [f"{name}.cast", f"{name}{FACTORS}"], [name]))
    nodes = [*restoring, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def _is_to_float(node: onnx.NodeProto) -> bool:
    return any(attribute.name == "to" and attribute.i == onnx.TensorProto.FLOAT for attribute in node.attribute)


def _is_rounded(weights: Array) -> bool:
    integers, factors = split(weights.astype(np.float32))
    return bool((np.abs(integers * factors - weights) <= MAX_ERROR * factors).all())


def split(weights: Array) -> tuple[npt.NDArray[np.int8], Array]:
    """
    Return whole numbers and a factor for each row, whose products are close to the weights.

    Shapes: (rows, ...) -> (rows, ...), (rows, 1, ...)
    """
    largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
    factors = np.where(largest > 0, largest / np.float32(LARGEST), np.float32(1))
    return np.rint(weights / factors).astype(np.int8), factors
