"""
ONNX graphs as others export them: made node by node, and run as they are.

Of an image with 3 channels, 4 rows and 5 columns, or of its 60 numbers, through weights that make no two places alike:

    encode(x) = tanh(x W)            6 latents        decode(z) = sigmoid(z V)         60 numbers
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

Rows = npt.NDArray[Any]
Named = tuple[str, Sequence[int | str | None]]

SHAPE = (3, 4, 5)
SIZE, LATENTS = 60, 6
FLOAT = TensorProto.FLOAT
TYPES: dict[int, type[np.generic]] = {
    FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.DOUBLE: np.float64,
}


def weights(seed: int, rows: int, columns: int) -> Rows:
    """Different in every place."""
    return np.random.default_rng(seed).normal(0, 0.4, (rows, columns)).astype(np.float32)


def node(operator: str, taken: str, given: str, **attributes: Any) -> onnx.NodeProto:
    """A node by the names of its inputs and outputs, separated by blanks."""
    return helper.make_node(operator, taken.split(" "), given.split(" "), **attributes)


def constant(name: str, value: Any, kind: type[np.generic] = np.float32) -> onnx.TensorProto:
    """A weight."""
    return numpy_helper.from_array(np.array(value, kind), name)


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    takes: Sequence[Named],
    gives: Sequence[Named],
    constants: Sequence[onnx.TensorProto] = (),
    kinds: tuple[int, int] = (FLOAT, FLOAT),
    opset: int = 18,
    ir: int = 10,
    **more: Any,
) -> Path:
    """Write a graph; `kinds` are the types of its inputs and of its outputs."""
    inputs = [helper.make_tensor_value_info(name, kinds[0], shape) for name, shape in takes]
    outputs = [helper.make_tensor_value_info(name, kinds[1], shape) for name, shape in gives]
    graph = helper.make_graph(nodes, "foreign", inputs, outputs, constants)
    imports = [helper.make_opsetid("", opset), *more.pop("imports", [])]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=ir, **more), path)
    return path


def encoder(
    path: Path, shape: Sequence[int] = SHAPE, batch: int | str = "n", kind: int = FLOAT, width: int = LATENTS
) -> Path:
    """`x` of any shape with 60 numbers -> `code`, the latents."""
    numpy_kind = TYPES[kind]
    return save(
        path,
        [node("Flatten", "x", "flat"), node("MatMul", "flat w", "sums"), node("Tanh", "sums", "code")],
        [("x", [batch, *shape])],
        [("code", [batch, width])],
        [constant("w", weights(1, SIZE, width), numpy_kind)],
        (kind, kind),
    )


def decoder(path: Path, shape: Sequence[int] = SHAPE, batch: int | str = "n", kind: int = FLOAT) -> Path:
    """`code` -> `x_hat`, of any shape with 60 numbers."""
    numpy_kind = TYPES[kind]
    return save(
        path,
        [
            node("MatMul", "code v", "sums"),
            node("Sigmoid", "sums", "flat"),
            node("Reshape", "flat shape", "x_hat"),
        ],
        [("code", [batch, LATENTS])],
        [("x_hat", [batch, *shape])],
        [constant("v", weights(2, LATENTS, SIZE), numpy_kind), constant("shape", [-1, *shape], np.int64)],
        (kind, kind),
    )


def run(path: Path, rows: Rows, at_once: int = 1) -> list[Rows]:
    """What a graph gives as it came, so many rows at once; their number must be a multiple of that."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    parts = [session.run(None, {taken.name: rows[at : at + at_once]}) for at in range(0, len(rows), at_once)]
    return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]


def samples(shape: Sequence[int] = SHAPE, count: int = 8, low: float = 0, high: float = 1) -> Rows:
    """Samples that are not those which an import tries by itself."""
    unit = np.random.default_rng(99).random((count, *shape))
    return (low + (high - low) * unit).astype(np.float32)
