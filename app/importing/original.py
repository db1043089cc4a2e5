"""A graph as it came, on onnxruntime: the measure of what is made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from app.engine.session import open_session
from app.errors import InvalidModel, UnfitGraph
from app.importing.reading import opset_of, read_model
from app.importing.steps import TYPES, Rows


@dataclass(frozen=True)
class Original:
    """
    A graph with one input, whose first axis is the batch.

    `row` is the shape of one row of the input, with None where the graph does not say; `batch` is the number of rows
    that it takes at once, None where that is free.
    """

    path: Path
    model: onnx.ModelProto
    session: onnxruntime.InferenceSession
    taken: str
    kind: type[np.generic]
    row: tuple[int | None, ...]
    batch: int | None
    outputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's."""
        return self.path.name

    @classmethod
    def open(cls, path: Path) -> Original:
        """The graph of a file. Raises UnfitGraph."""
        model = read_model(path)
        try:
            session = open_session(path, threads=1)
        except InvalidModel as error:
            raise UnfitGraph(f"{path.name}: {_why_not(error.__cause__, model)}") from error
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1:
            names = ", ".join(node.name for node in inputs) or "none"
            raise UnfitGraph(f"{path.name}: expected one input, got {names}")
        (taken,) = inputs
        if taken.type not in TYPES:
            known = ", ".join(np.dtype(kind).name for kind in TYPES.values())
            raise UnfitGraph(f"{path.name}: expected {taken.name} to be {known}, got {taken.type}")
        if len(taken.shape) < 2:
            raise UnfitGraph(f"{path.name}: expected {taken.name} to be rows of a batch, got shape {taken.shape}")
        row = tuple(size if isinstance(size, int) else None for size in taken.shape[1:])
        batch = taken.shape[0] if isinstance(taken.shape[0], int) else None
        given = tuple(node.name for node in outputs)
        return cls(path, model, session, taken.name, TYPES[taken.type], row, batch, given)

    def describe(self) -> str:
        """What was read, for a person."""
        shape = ", ".join("?" if size is None else str(size) for size in self.row)
        batch = "free" if self.batch is None else f"fixed at {self.batch}"
        kind = np.dtype(self.kind).name
        return (
            f"{self.name}: opset {opset_of(self.model)}; {self.taken} {kind} [{shape}], batch {batch} "
            f"-> {', '.join(self.outputs)}"
        )

    def run(self, rows: Rows) -> dict[str, Rows]:
        """All outputs for the rows, which are run as few at once as the graph takes. Raises UnfitGraph."""
        size = self.batch or 1
        parts: list[list[Rows]] = []
        for at in range(0, len(rows), size):
            chunk = rows[at : at + size]
            padded = np.concatenate([chunk, np.repeat(chunk[-1:], size - len(chunk), axis=0)])
            try:
                given = self.session.run(None, {self.taken: padded}, quietly())
            except Exception as error:  # onnxruntime raises a class of its own for each failure
                raise UnfitGraph(f"{self.name} cannot be run: {in_short(error)}") from error
            parts.append(given)
        outputs: dict[str, Rows] = {}
        for name, pieces in zip(self.outputs, zip(*parts, strict=True), strict=True):
            if all(isinstance(piece, np.ndarray) and piece.shape[:1] == (size,) for piece in pieces):
                outputs[name] = np.concatenate(pieces)[: len(rows)]
        return outputs


def quietly() -> onnxruntime.RunOptions:
    """Run without onnxruntime's own lines on stderr: what fails is raised, and said in one sentence."""
    options = onnxruntime.RunOptions()
    options.log_severity_level = 4
    return options


def in_short(error: BaseException | None) -> str:
    """What onnxruntime says, without its codes and the places in its own source."""
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    said = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", said)
    said = re.sub(r"^Load model from .* failed: ?", "", said)
    return re.sub(r"\S*/onnxruntime\S*:\d+ .*?\) (?=[A-Z])", "", said)


def _why_not(error: BaseException | None, model: onnx.ModelProto) -> str:
    """Why onnxruntime does not load a graph: too new, or what it says itself."""
    said = str(error)
    if found := re.search(r"till opset (\d+)", said):
        return f"expected opset {found[1]} or older, got {opset_of(model)}; export the graph for an older one"
    if found := re.search(r"max supported IR version: (\d+)", said):
        return f"expected IR version {found[1]} or older, got {model.ir_version}; save it with an older onnx"
    return f"cannot be loaded: {in_short(error)}"
