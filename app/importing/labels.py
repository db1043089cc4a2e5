"""The second input of a conditional graph: a label, as an index or as a one-hot row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import UnfitGraph
from app.importing.layout import OpenShape, describe_shape
from app.importing.steps import TENSOR_TYPES, Step, cast, one_hot, reshape

LABEL_TYPES: dict[str, type[np.generic]] = {
    **TENSOR_TYPES,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
"""Supported types of labels, by onnxruntime's names for them."""
LABEL_NAME = re.compile(
    "(class|one_?hot)?labels?(onehot|ids?)?|[yc]|cond(itions?|itional)?|class(es|ids?)?|cls|y?onehoty?|targets?|"
    "categor(y|ies)|digits?|attributes?"
)
WHOLE_NUMBERS = ("tensor(int64)", "tensor(int32)")


@dataclass(frozen=True)
class GraphInput:
    """An input of a graph; its first axis is the batch."""

    name: str
    type: str
    """onnxruntime's name for it, such as `tensor(float)`."""
    shape: tuple[object, ...]

    @property
    def row_shape(self) -> OpenShape:
        """The shape of one row."""
        return tuple(size if isinstance(size, int) else None for size in self.shape[1:])

    @property
    def is_called_label(self) -> bool:
        """True if the name is one that conditional models use for their labels."""
        plain = re.sub("[^a-z]", "", re.sub(r":\d+$", "", self.name).rsplit("/", 1)[-1].lower())
        return LABEL_NAME.fullmatch(plain) is not None

    @property
    def may_be_label(self) -> bool:
        """True if its type and shape are those of an index or of a one-hot row."""
        return self.type in LABEL_TYPES and len(self.shape) in (1, 2)

    @property
    def width(self) -> int | None:
        """The length of a one-hot row; None if the label is an index or the length is open."""
        size = self.row_shape[0] if len(self.shape) == 2 else 1
        return size if size != 1 else None

    @property
    def is_index(self) -> bool:
        """True if the label is an index and not a one-hot row."""
        return len(self.shape) == 1 or self.row_shape == (1,)


def choose_inputs(
    name: str, inputs: Sequence[GraphInput], labels: Sequence[str]
) -> tuple[GraphInput, GraphInput | None]:
    """Return the input of samples or latents, and that of labels if there is one. Raises UnfitGraph."""
    if len(inputs) == 1:
        return inputs[0], None
    names = ", ".join(each.name for each in inputs) or "none"
    if len(inputs) > 2 and all(each.row_shape == (1,) for each in inputs):
        raise UnfitGraph(
            f"{name}: expected one input, got one for each column, {names}; export it with one input of all columns, "
            "such as FloatTensorType([None, columns])"
        )
    if len(inputs) != 2:
        raise UnfitGraph(
            f"{name}: expected one input, and perhaps a label, got {names}; export a graph that calculates or holds "
            "the others itself"
        )
    fitting = [each for each in inputs if each.may_be_label]
    called = [each for each in fitting if each.is_called_label]
    whole = [each for each in fitting if each.type in WHOLE_NUMBERS]
    exact = [each for each in fitting if labels and each.width == len(labels)]
    wide = exact[-1:] or [each for each in fitting[-1:] if labels and each.width is None]
    label = next((group[0] for group in (called, whole, wide) if len(group) == 1), None)
    if label is None:
        raise UnfitGraph(
            f"{name}: expected one input, got {names}; if one of them is a label, pass --labels with the name of "
            "each, such as --labels 0 1 2; otherwise export a graph that calculates or holds it itself"
        )
    return next(each for each in inputs if each is not label), label


def read_labels(names: Sequence[str], inputs: Sequence[tuple[str, GraphInput]]) -> tuple[str, ...]:
    """
    Return the names of the labels, which are numbers from 0 if the options name none, for inputs of named graphs.

    Raises UnfitGraph if their number is unknown, or differs from that of the graphs.
    """
    if not inputs:
        if names:
            raise UnfitGraph("--labels: neither graph has a second input for a label")
        return ()
    widths = {each.width for _, each in inputs} - {None}
    if not names:
        if len(widths) != 1:
            graph, label = inputs[0]
            raise UnfitGraph(
                f"{graph} takes labels as {label.name}, {describe_shape(label.row_shape)} per sample, without their "
                "number: pass --labels with the name of each, such as --labels 0 1 2"
            )
        names = [str(index) for index in range(int(widths.pop() or 0))]
    for graph, label in inputs:
        if label.width not in (None, len(names)):
            raise UnfitGraph(f"{graph}: expected {len(names)} labels, but {label.name} has {label.width} numbers")
    if len(names) < 2 or len({*names}) != len(names) or "" in names:
        raise UnfitGraph(f"--labels: expected at least 2 different names, got {', '.join(names)}")
    return tuple(names)


def label_steps(label: GraphInput, count: int) -> tuple[Step, ...]:
    """Return the steps from indices, (rows,) int64, to the graph's labels."""
    dtype = LABEL_TYPES[label.type]
    if label.is_index:
        steps = [] if len(label.shape) == 1 else [reshape((1,))]
        return (*steps, *([] if dtype == np.int64 else [cast(dtype)]))
    return (one_hot(count), *([] if dtype == np.float32 else [cast(dtype)]))
