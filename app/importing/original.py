"""The imported graph, unchanged, run by onnxruntime. Its rewritten form is compared with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from app.arrays import Rows
from app.engine.session import open_session
from app.errors import InvalidModel, UnfitGraph
from app.importing.layout import OpenShape, describe_shape
from app.importing.reading import opset_of, read_model
from app.importing.steps import TENSOR_TYPES


@dataclass(frozen=True)
class Original:
    """A graph with one input, whose first axis is the batch."""

    path: Path
    model: onnx.ModelProto
    session: onnxruntime.InferenceSession
    input_name: str
    input_type: type[np.generic]
    row_shape: OpenShape
    """The shape of one row of the input."""
    batch_size: int | None
    """The number of rows that the graph takes at once; None if any."""
    output_names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name

    @classmethod
    def open(cls, path: Path) -> Original:
        """Open the graph of a file. Raises UnfitGraph."""
        model = read_model(path)
        try:
            session = open_session(path, threads=1)
        except InvalidModel as error:
            raise UnfitGraph(f"{path.name}: {_reason(error.__cause__, model)}") from error
        inputs = session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(node.name for node in inputs) or "none"
            raise UnfitGraph(f"{path.name}: expected one input, got {names}")
        (tensor,) = inputs
        if tensor.type not in TENSOR_TYPES:
            types = ", ".join(np.dtype(dtype).name for dtype in TENSOR_TYPES.values())
            raise UnfitGraph(f"{path.name}: expected {tensor.name} to be {types}, got {tensor.type}")
        if len(tensor.shape) < 2:
            raise UnfitGraph(f"{path.name}: expected {tensor.name} to be rows of a batch, got shape {tensor.shape}")
        batch_size, *row_shape = (size if isinstance(size, int) else None for size in tensor.shape)
        return cls(
            path,
            model,
            session,
            tensor.name,
            TENSOR_TYPES[tensor.type],
            tuple(row_shape),
            batch_size,
            tuple(node.name for node in session.get_outputs()),
        )

    def describe(self) -> str:
        """Return a line about the graph: opset, input, outputs."""
        batch = "free" if self.batch_size is None else f"fixed at {self.batch_size}"
        return (
            f"{self.name}: opset {opset_of(self.model)}; {self.input_name} {np.dtype(self.input_type).name} "
            f"{describe_shape(self.row_shape)}, batch {batch} -> {', '.join(self.output_names)}"
        )

    def run(self, rows: Rows) -> dict[str, Rows]:
        """Return the outputs that have a row for each row. Runs as few rows at once as possible. Raises UnfitGraph."""
        size = self.batch_size or 1
        batches: list[list[Rows]] = []
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            padded = np.concatenate([chunk, np.repeat(chunk[-1:], size - len(chunk), axis=0)])
            try:
                batches.append(self.session.run(None, {self.input_name: padded}, silent_run_options()))
            except Exception as error:  # onnxruntime raises a class of its own for each failure
                raise UnfitGraph(f"{self.name} cannot be run: {short_message(error)}") from error
        outputs: dict[str, Rows] = {}
        for name, pieces in zip(self.output_names, zip(*batches, strict=True), strict=True):
            if all(isinstance(piece, np.ndarray) and piece.shape[:1] == (size,) for piece in pieces):
                outputs[name] = np.concatenate(pieces)[: len(rows)]
        return outputs


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
    return f"cannot be loaded: {short_message(error)}"
