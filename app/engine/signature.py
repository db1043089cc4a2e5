"""What goes into a graph and what comes out of it: names, types and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import onnxruntime

from app.errors import InvalidModel


@dataclass(frozen=True)
class Tensor:
    """An input or an output whose first axis is the batch; `shape` is that of one row."""

    name: str
    shape: tuple[int, ...]
    type: Literal["float", "int64"] = "float"

    def __str__(self) -> str:
        return f"{self.name} {self.type} {list(self.shape)}"


def check_signature(session: onnxruntime.InferenceSession, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
    """Raise InvalidModel unless a graph takes and gives these tensors, in rows of a symbolic batch axis."""
    taken, given = session.get_inputs(), session.get_outputs()
    for kind, expected, nodes in (("inputs", inputs, taken), ("outputs", outputs, given)):
        wanted, found = [str(tensor) for tensor in expected], [_described(node) for node in nodes]
        if found != wanted:
            raise InvalidModel(f"graph: expected the {kind} {', '.join(wanted)} for each row, found {', '.join(found)}")
    for node in (*taken, *given):
        if not node.shape or isinstance(node.shape[0], int):
            raise InvalidModel(f"graph: {node.name} must have a symbolic batch axis, found shape {node.shape}")


def _described(node: Any) -> str:
    """As a Tensor says it, whatever onnxruntime found in the graph."""
    return f"{node.name} {node.type.removeprefix('tensor(').removesuffix(')')} {list(node.shape[1:])}"
