"""
Steps between a tensor of the contract and a tensor of a graph.

Each step is defined twice: as ONNX operators, which become nodes, and in numpy, which the nodes are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from app.arrays import Rows
from app.inputs import ValueRange

TENSOR_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""Supported types of tensors, by onnxruntime's names for them."""


@dataclass(frozen=True)
class Operator:
    """A node to add. Its first input is the output of the node before it."""

    name: str
    constants: tuple[Rows, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A function from rows to rows."""

    words: str
    """A description for people; empty if there is nothing to mention."""
    operators: tuple[Operator, ...]
    calculate: Callable[[Rows], Rows]


def apply(steps: Sequence[Step], rows: Rows) -> Rows:
    """Return the rows after all steps, calculated by numpy."""
    for step in steps:
        rows = step.calculate(rows)
    return rows


def cast(dtype: type[np.generic]) -> Step:
    """Return a step to another type. A cast to uint8 truncates."""
    to = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    def calculate(rows: Rows) -> Rows:
        with np.errstate(over="ignore"):  # too large for float16 becomes infinite, which is refused
            return rows.astype(dtype)

    return Step(f"as {np.dtype(dtype).name}", (Operator("Cast", attributes={"to": to}),), calculate)


def transpose(order: tuple[int, ...], words: str) -> Step:
    """Return a step that reorders the axes of a row, counted from 0 without the batch axis."""
    axes = (0, *(axis + 1 for axis in order))
    return Step(words, (Operator("Transpose", attributes={"perm": list(axes)}),), lambda rows: rows.transpose(axes))


def reshape(shape: tuple[int, ...]) -> Step:
    """Return a step to rows of another shape, with the same numbers in the same order."""
    target = np.array([-1, *shape], np.int64)
    words = f"reshaped to {list(shape)}"
    return Step(words, (Operator("Reshape", (target,)),), lambda rows: rows.reshape(len(rows), *shape))


def scale(factor: float, offset: float, words: str) -> Step:
    """Return a step that calculates factor * x + offset in float32."""
    factors, offsets = np.array(factor, np.float32), np.array(offset, np.float32)
    operators = (Operator("Mul", (factors,)), Operator("Add", (offsets,)))
    return Step(words, operators, lambda rows: rows * factors + offsets)


def to_bytes(value_range: ValueRange) -> list[Step]:
    """Return the steps from numbers of the range to the nearest of 0..255."""
    factor = 255 / value_range.span
    words = f"{value_range.low:g} to {value_range.high:g} scaled to 0..255 and rounded"
    return [scale(factor, 0.5 - factor * value_range.low, words), cast(np.uint8)]


def clip(value_range: ValueRange) -> Step:
    """Return a step that clips numbers to the range."""
    low, high = np.array(value_range.low, np.float32), np.array(value_range.high, np.float32)
    words = f"clipped to {value_range.low:g}..{value_range.high:g}"
    return Step(words, (Operator("Max", (low,)), Operator("Min", (high,))), lambda rows: rows.clip(low, high))


def sigmoid(value_range: ValueRange) -> list[Step]:
    """Return the steps from logits to numbers of the range."""

    def calculate(rows: Rows) -> Rows:
        with np.errstate(over="ignore"):
            return np.float32(1) / (np.float32(1) + np.exp(-rows))

    words = f"0 to 1 scaled to {value_range.low:g} to {value_range.high:g}"
    scaled = [] if (value_range.low, value_range.high) == (0, 1) else [scale(value_range.span, value_range.low, words)]
    return [Step("through a sigmoid", (Operator("Sigmoid"),), calculate), *scaled]


def logarithm(factor: float, words: str) -> Step:
    """Return a step that calculates factor * ln x."""
    factors = np.array(factor, np.float32)

    def calculate(rows: Rows) -> Rows:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(rows) * factors

    return Step(words, (Operator("Log"), Operator("Mul", (factors,))), calculate)


def part(index: int, count: int, size: int, axis: int = 0) -> Step:
    """Return a step that selects one of `count` equal parts of an axis of a row, which has `size` places."""
    part_size = size // count
    places = np.arange(index * part_size, (index + 1) * part_size)
    words = f"places {places[0]} to {places[-1]} of {size}" + (f" on axis {axis}" if axis else "")
    gather = Operator("Gather", (places,), {"axis": axis + 1})
    return Step(words, (gather,), lambda rows: rows.take(places, axis + 1))


def one_hot(width: int) -> Step:
    """Return a step from indices to rows of `width` numbers, all 0 except a 1 at the index."""
    depth, values = np.array(width, np.int64), np.array([0, 1], np.float32)
    operator = Operator("OneHot", (depth, values), {"axis": -1})
    return Step(f"as one-hot rows of {width}", (operator,), lambda rows: np.eye(width, dtype=np.float32)[rows])
