"""The imported graph, run by onnxruntime with only the outputs that are used, and what the new one must equal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from app.arrays import Rows
from app.engine.session import open_session
from app.errors import InvalidModel, UnfitGraph
from app.importing.labels import GraphInput, choose_inputs
from app.importing.layout import OpenShape, describe_shape
from app.importing.reading import check_operators, opset_of
from app.importing.steps import TENSOR_TYPES
from app.importing.surgery.causes import check_inference_mode
from app.importing.surgery.pruning import drop_unused


@dataclass(frozen=True)
class GraphFile:
    """A graph that was read from a file, or a part of one."""

    path: Path
    model: onnx.ModelProto
    part: str = ""
    """The part of the file, for messages; empty for the whole."""

    @property
    def name(self) -> str:
        """The name of the file, and the part."""
        return f"{self.path.name}{self.part}"

    @property
    def outputs(self) -> list[str]:
        """The names of all outputs."""
        return [value.name for value in self.model.graph.output]


@dataclass(frozen=True)
class Original:
    """A graph with an input of samples or latents, whose first axis is the batch, and perhaps one of labels."""

    file: GraphFile
    model: onnx.ModelProto
    """The graph without the outputs that are not used."""
    session: onnxruntime.InferenceSession
    input: GraphInput
    label: GraphInput | None
    output_names: tuple[str, ...]
    """The outputs that are used."""

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.file.name

    @property
    def input_name(self) -> str:
        """The name of the input of samples or latents."""
        return self.input.name

    @property
    def input_type(self) -> type[np.generic]:
        """The type of the input of samples or latents."""
        return TENSOR_TYPES[self.input.type]

    @property
    def row_shape(self) -> OpenShape:
        """The shape of one row of the input."""
        return self.input.row_shape

    @property
    def batch_size(self) -> int | None:
        """The number of rows that the graph takes at once; None if any."""
        size = self.input.shape[0]
        return size if isinstance(size, int) else None

    @classmethod
    def open(cls, file: GraphFile, outputs: Sequence[str], labels: Sequence[str] = ()) -> Original:
        """
        Open a graph with only these outputs. Raises UnfitGraph.

        Operators that no output needs may be unknown to onnxruntime. `labels` are the options' names of labels.
        """
        model = onnx.ModelProto()
        model.CopyFrom(file.model)
        drop_unused(model, set(outputs))
        check_operators(model, file.name)
        check_inference_mode(model, file.name)
        try:
            session = open_session(model.SerializeToString(), threads=1)
        except InvalidModel as error:
            raise UnfitGraph(f"{file.name}: {_reason(error.__cause__, model)}") from error
        inputs = [GraphInput(node.name, node.type, tuple(node.shape)) for node in session.get_inputs()]
        main, label = choose_inputs(file.name, inputs, labels)
        if main.type not in TENSOR_TYPES:
            types = ", ".join(np.dtype(dtype).name for dtype in TENSOR_TYPES.values())
            raise UnfitGraph(
                f"{file.name}: expected {main.name} to be {types}, got {main.type}; export it with a float32 input, if "
                "its samples are numbers and not tokens"
            )
        if len(main.shape) < 2:
            raise UnfitGraph(f"{file.name}: expected {main.name} to be rows of a batch, got shape {list(main.shape)}")
        return cls(file, model, session, main, label, tuple(node.name for node in session.get_outputs()))

    def describe(self) -> str:
        """Return a line about the graph: opset, input, outputs."""
        batch = "free" if self.batch_size is None else f"fixed at {self.batch_size}"
        label = f", with {self.label.name} {describe_shape(self.label.row_shape)}" if self.label else ""
        return (
            f"{self.name}: opset {opset_of(self.model)}; {self.input_name} {np.dtype(self.input_type).name} "
            f"{describe_shape(self.row_shape)}{label}, batch {batch} -> {', '.join(self.file.outputs)}"
        )

    def run(self, rows: Mapping[str, Rows]) -> dict[str, Rows]:
        """
        Return the outputs that have a row for each row of the inputs, which are named as in the graph.

        Runs as few rows at once as possible. Raises UnfitGraph.
        """
        size = self.batch_size or 1
        count = len(rows[self.input_name])
        batches: list[list[Rows]] = []
        for start in range(0, count, size):
            chunk = {name: _padded(values[start : start + size], size) for name, values in rows.items()}
            try:
                batches.append(self.session.run(None, chunk, silent_run_options()))
            except Exception as error:  # onnxruntime raises a class of its own for each failure
                beyond = self.label is not None and "out of data bounds" in str(error)
                hint = "; --labels names more labels than the graph knows" if beyond else ""
                raise UnfitGraph(f"{self.name} cannot be run: {short_message(error)}{hint}") from error
        outputs: dict[str, Rows] = {}
        for name, pieces in zip(self.output_names, zip(*batches, strict=True), strict=True):
            if all(isinstance(piece, np.ndarray) and piece.shape[:1] == (size,) for piece in pieces):
                outputs[name] = np.concatenate(pieces)[:count]
        return outputs


def _padded(rows: Rows, size: int) -> Rows:
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])


def silent_run_options() -> onnxruntime.RunOptions:
    """Return options that keep onnxruntime from writing to stderr: errors are raised and reported in one sentence."""
    options = onnxruntime.RunOptions()
    options.log_severity_level = 4
    return options


def short_message(error: BaseException | None) -> str:
    """Return the message of an onnxruntime error without its codes and the places in its own source."""
    message = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    message = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", message)
    message = re.sub(r"^Load model from .* failed: ?", "", message)
    return re.sub(r"\S*/onnxruntime\S*:\d+ .*?\) (?=[A-Z])", "", message)


def _reason(error: BaseException | None, model: onnx.ModelProto) -> str:
    """Return why onnxruntime does not load a graph: the graph is too new, or onnxruntime's own message."""
    message = str(error)
    if match := re.search(r"till opset (\d+)", message):
        return f"expected opset {match[1]} or older, got {opset_of(model)}; export the graph for an older one"
    if match := re.search(r"max supported IR version: (\d+)", message):
        return f"expected IR version {match[1]} or older, got {model.ir_version}; save it with an older onnx"
    if match := re.search(r"No Op registered for (\w+)", message):
        return (
            f"cannot be loaded: onnxruntime has no operator {match[1]} ({match[0]}); export the graph without it, or "
            "leave its output out"
        )
    return f"cannot be loaded: {short_message(error)}"
