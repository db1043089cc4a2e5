"""
What can stand between a tensor of the contract and a tensor of a graph.

Each step is said twice: in ONNX's operators, which become nodes, and in numpy, which the nodes are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from app.manifest import ValueRange

Rows = npt.NDArray[Any]

TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""Types of the tensors that can be cast to and from, in onnxruntime's words."""


@dataclass(frozen=True)
class Operator:
    """One node to be: its first input is what the one before gave."""

    name: str
    constants: tuple[Rows, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """Rows to rows."""

    words: str
    operators: tuple[Operator, ...]
    calculate: Callable[[Rows], Rows]


def apply(steps: Sequence[Step], rows: Rows) -> Rows:
    """The rows after all steps, calculated by numpy."""
    for step in steps:
        rows = step.calculate(rows)
    return rows


def cast(kind: type[np.generic]) -> Step:
    """Numbers of another type; to uint8 what lies behind the point is cut off."""
    to = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))

    def calculate(rows: Rows) -> Rows:
        with np.errstate(over="ignore"):  # what float16 cannot hold is infinite, and refused as that
            return rows.astype(kind)

    return Step(f"as {np.dtype(kind).name}", (Operator("Cast", attributes={"to": to}),), calculate)


def transpose(order: tuple[int, ...], words: str) -> Step:
    """The axes of a row in another order, counted from 0 without the batch axis."""
    axes = (0, *(axis + 1 for axis in order))
    return Step(words, (Operator("Transpose", attributes={"perm": list(axes)}),), lambda rows: rows.transpose(axes))


def reshape(shape: tuple[int, ...]) -> Step:
    """Rows of another shape with the same numbers in the same order."""
    target = np.array([-1, *shape], np.int64)
    words = f"reshaped to {list(shape)}"
    return Step(words, (Operator("Reshape", (target,)),), lambda rows: rows.reshape(len(rows), *shape))


def scale(factor: float, offset: float, words: str) -> Step:
    """Factor * x + offset, in float32."""
    by, add = np.array(factor, np.float32), np.array(offset, np.float32)
    return Step(words, (Operator("Mul", (by,)), Operator("Add", (add,))), lambda rows: rows * by + add)


def to_bytes(value_range: ValueRange) -> list[Step]:
    """Numbers of the range as the nearest of 0..255."""
    factor = 255 / value_range.span
    words = f"{value_range.low:g} to {value_range.high:g} scaled to 0..255 and rounded"
    return [scale(factor, 0.5 - factor * value_range.low, words), cast(np.uint8)]


def clip(value_range: ValueRange) -> Step:
    """What lies outside the range, put to its ends."""
    low, high = np.array(value_range.low, np.float32), np.array(value_range.high, np.float32)
    words = f"kept within {value_range.low:g} to {value_range.high:g}"
    return Step(words, (Operator("Max", (low,)), Operator("Min", (high,))), lambda rows: rows.clip(low, high))


def sigmoid(value_range: ValueRange) -> list[Step]:
    """Logits as numbers of the range."""

    def calculate(rows: Rows) -> Rows:
        with np.errstate(over="ignore"):
            return np.float32(1) / (np.float32(1) + np.exp(-rows))

    words = f"0 to 1 scaled to {value_range.low:g} to {value_range.high:g}"
    scaled = [] if (value_range.low, value_range.high) == (0, 1) else [scale(value_range.span, value_range.low, words)]
    return [Step("through a sigmoid", (Operator("Sigmoid"),), calculate), *scaled]


def logarithm(factor: float, words: str) -> Step:
    """Factor * ln x."""
    by = np.array(factor, np.float32)

    def calculate(rows: Rows) -> Rows:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(rows) * by

    return Step(words, (Operator("Log"), Operator("Mul", (by,))), calculate)


def part(index: int, of: int, size: int) -> Step:
    """One of several equal parts of the first axis of a row, which has so many places in all."""
    each = size // of
    places = np.arange(index * each, (index + 1) * each)
    words = f"places {places[0]} to {places[-1]} of {size}"
    taken = Operator("Gather", (places,), {"axis": 1})
    return Step(words, (taken,), lambda rows: rows[:, index * each : (index + 1) * each])
