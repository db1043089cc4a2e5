"""The types of a graph's numbers: floating-point numbers of several sizes, bytes, and labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from app.arrays import Rows
from app.errors import UnfitGraph
from app.importing.labels import label_steps
from app.importing.original import Original
from app.importing.rewriting import Port
from app.importing.steps import Step, cast
from app.inputs import ValueRange


def from_float32(dtype: type[np.generic]) -> list[Step]:
    """Return the steps from float32 to a graph's type of floating-point numbers."""
    return [] if dtype == np.float32 else [cast(dtype)]


def to_float32(output: Rows) -> list[Step]:
    """Return the steps from an output's type to float32."""
    return [] if output.dtype == np.float32 else [cast(np.float32)]


def float_output(original: Original, name: str, outputs: dict[str, Rows], role: str) -> Rows:
    """Return an output, or raise UnfitGraph unless it has floating-point numbers and a row for each row."""
    if name not in outputs:
        raise UnfitGraph(
            f"{original.name}: expected {name} to have a row for each row of {original.input_name}; its first axis "
            "must be the batch"
        )
    output = outputs[name]
    if output.dtype.kind in "iub" and role == "latents":
        raise UnfitGraph(
            f"{original.name}: expected {name} to be float32, float16 or float64, got {output.dtype}; if these are "
            "the codes of a codebook, export the encoder with the vectors that they stand for, and the decoder that "
            "takes these vectors"
        )
    if output.dtype.kind != "f":
        raise UnfitGraph(f"{original.name}: expected {name} to be float32, float16 or float64, got {output.dtype}")
    return output


def label_ports(original: Original, labels: Sequence[str]) -> list[Port]:
    """Return the contract's input of labels, if the graph is conditional."""
    if original.label is None:
        return []
    steps = label_steps(original.label, len(labels))
    return [Port("labels", (), original.label.name, steps, TensorProto.INT64)]


def require_range(value_range: ValueRange | None, original: Original) -> ValueRange:
    """Return the range, or raise UnfitGraph if there is none."""
    if value_range is None:
        raise UnfitGraph(f"{original.name}: bytes and logits need a range: pass --range LOW HIGH, such as 0 1")
    return value_range
