"""
ONNX graphs as other tools export them, built node by node and run unchanged.

Samples are images of 3 channels, 4 rows and 5 columns, or their 60 numbers. The weights differ in every place.

    encode(x) = tanh(x W)            6 latents        decode(z) = sigmoid(z V)         60 numbers
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from app.arrays import Rows

Named = tuple[str, Sequence[int | str | None]]
"""The name and the shape of a tensor."""

SHAPE = (3, 4, 5)
SIZE, LATENTS = 60, 6
FLOAT = TensorProto.FLOAT
TYPES: dict[int, type[np.generic]] = {
    FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.DOUBLE: np.float64,
}


def weights(seed: int, rows: int, columns: int) -> Rows:
    """Return weights that differ in every place."""
    return np.random.default_rng(seed).normal(0, 0.4, (rows, columns)).astype(np.float32)


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """Return a node, from the names of its inputs and outputs, separated by spaces."""
    return helper.make_node(operator, inputs.split(" "), outputs.split(" "), **attributes)


def constant(name: str, value: Any, dtype: type[np.generic] = np.float32) -> onnx.TensorProto:
    """Return a constant of a graph."""
    return numpy_helper.from_array(np.array(value, dtype), name)


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Named],
    outputs: Sequence[Named],
    constants: Sequence[onnx.TensorProto] = (),
    types: tuple[int, int] = (FLOAT, FLOAT),
    opset: int = 18,
    ir: int = 10,
    **more: Any,
) -> Path:
    """Write a graph. `types` are those of its inputs and of its outputs."""
    input_values = [helper.make_tensor_value_info(name, types[0], shape) for name, shape in inputs]
    output_values = [helper.make_tensor_value_info(name, types[1], shape) for name, shape in outputs]
    graph = helper.make_graph(nodes, "foreign", input_values, output_values, constants)
    imports = [helper.make_opsetid("", opset), *more.pop("imports", [])]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=ir, **more), path)
    return path


def encoder(
    path: Path, shape: Sequence[int] = SHAPE, batch: int | str = "n", dtype: int = FLOAT, width: int = LATENTS
) -> Path:
    """Write an encoder from `x`, of any shape with 60 numbers, to `code`, the latents."""
    return save(
        path,
        [node("Flatten", "x", "flat"), node("MatMul", "flat w", "sums"), node("Tanh", "sums", "code")],
        [("x", [batch, *shape])],
        [("code", [batch, width])],
        [constant("w", weights(1, SIZE, width), TYPES[dtype])],
        (dtype, dtype),
    )


def decoder(path: Path, shape: Sequence[int] = SHAPE, batch: int | str = "n", dtype: int = FLOAT) -> Path:
    """Write a decoder from `code` to `x_hat`, of any shape with 60 numbers."""
    return save(
        path,
        [
            node("MatMul", "code v", "sums"),
            node("Sigmoid", "sums", "flat"),
            node("Reshape", "flat shape", "x_hat"),
        ],
        [("code", [batch, LATENTS])],
        [("x_hat", [batch, *shape])],
        [constant("v", weights(2, LATENTS, SIZE), TYPES[dtype]), constant("shape", [-1, *shape], np.int64)],
        (dtype, dtype),
    )


def run(path: Path, rows: Rows, batch_size: int = 1) -> list[Rows]:
    """Return the outputs of a graph, run in batches of `batch_size` rows, which divides the count of rows."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (tensor,) = session.get_inputs()
    batches = (rows[start : start + batch_size] for start in range(0, len(rows), batch_size))
    parts = [session.run(None, {tensor.name: batch}) for batch in batches]
    return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]


def samples(shape: Sequence[int] = SHAPE, count: int = 8, low: float = 0, high: float = 1) -> Rows:
    """Return samples that differ from those that an import runs itself."""
    unit = np.random.default_rng(99).random((count, *shape))
    return (low + (high - low) * unit).astype(np.float32)


def wide_encoder(path: Path) -> Path:
    """Write an encoder with one output of 12 positive numbers."""
    return save(
        path,
        [node("Flatten", "x", "flat"), node("MatMul", "flat w", "sums"), node("Softplus", "sums", "both")],
        [("x", ["n", *SHAPE])],
        [("both", ["n", 2 * LATENTS])],
        [constant("w", weights(1, SIZE, 2 * LATENTS))],
    )


def three_outputs(path: Path, names: tuple[str, str, str]) -> Path:
    """Write a variational encoder with the outputs mean, log variance and draw, as many are exported."""
    mu, logvar, z = names
    return save(
        path,
        [
            node("Flatten", "x", "flat"),
            node("MatMul", "flat w", mu),
            node("MatMul", "flat u", logvar),
            node("RandomNormalLike", mu, "noise"),
            node("Exp", logvar, "variance_of_z"),
            node("Mul", "noise variance_of_z", "shift"),
            node("Add", f"{mu} shift", z),
        ],
        [("x", ["n", *SHAPE])],
        [(name, ["n", LATENTS]) for name in names],
        [constant("w", weights(1, SIZE, LATENTS)), constant("u", weights(5, SIZE, LATENTS))],
    )


def linear_decoder(path: Path, shape: tuple[int, ...] = SHAPE) -> Path:
    """Write a decoder without a sigmoid at its end."""
    return save(
        path,
        [node("MatMul", "code v", "flat"), node("Reshape", "flat shape", "y")],
        [("code", ["n", LATENTS])],
        [("y", ["n", *shape])],
        [constant("v", weights(2, LATENTS, SIZE)), constant("shape", [-1, *shape], np.int64)],
    )
