"""onnxruntime sessions: how a graph is opened, checked for the tensors that it takes and gives, and run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime

from app.arrays import Array, Rows
from app.engine.checks import check_finite
from app.engine.run_limit import CURRENT_RUN
from app.errors import InvalidModel

EXTERNAL_FOLDER = "session.model_external_initializers_file_folder_path"
"""Source: onnxruntime, include/onnxruntime/core/session/onnxruntime_session_options_config_keys.h"""


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a graph; its first axis is the batch, `shape` is the shape of one row."""

    name: str
    shape: tuple[int, ...]
    type: Literal["float", "int64"] = "float"

    def __str__(self) -> str:
        return f"{self.name} {self.type} {list(self.shape)}"


def open_session(
    graph: Path | bytes, threads: int, path: Path | None = None, *, optimise: bool = True
) -> onnxruntime.InferenceSession:
    """
    Open a graph, in a file or in memory, on the CPU. Raises InvalidModel.

    `path` is the file that the bytes were read from: an error names it, and files that the graph names lie beside it.
    Idle threads sleep instead of spinning. The memory arena is off: it grows with every new batch size. onnxruntime
    logs nothing about a run that fails, since it raises an exception as well. A graph that is not optimised runs slower
    and opens faster.
    """
    options = onnxruntime.SessionOptions()
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    if path:
        options.add_session_config_entry(EXTERNAL_FOLDER, str(path.parent))
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for each failure, with no common base but Exception
        path = graph if isinstance(graph, Path) else path
        name = path.name if path else "the graph"
        raise InvalidModel(f"{name} cannot be loaded: {str(error).splitlines()[0]}") from error


def check_signature(
    session: onnxruntime.InferenceSession, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> None:
    """Raise InvalidModel unless a graph takes and gives these tensors, each with a symbolic batch axis."""
    for kind, specs, nodes in (("inputs", inputs, session.get_inputs()), ("outputs", outputs, session.get_outputs())):
        expected, actual = [str(spec) for spec in specs], [_describe(node) for node in nodes]
        if actual != expected:
            raise InvalidModel(
                f"graph: expected the {kind} {', '.join(expected)} for each row, found {', '.join(actual)}"
            )
        for node in nodes:
            if not node.shape or isinstance(node.shape[0], int):
                raise InvalidModel(f"graph: {node.name} must have a symbolic batch axis, found shape {node.shape}")


def _describe(node: Any) -> str:
    """Describe a node of a graph as `TensorSpec.__str__` does, even if its type is one that TensorSpec cannot hold."""
    return f"{node.name} {node.type.removeprefix('tensor(').removesuffix(')')} {list(node.shape[1:])}"


def run_graph(
    session: onnxruntime.InferenceSession, outputs: Sequence[str], inputs: Mapping[str, Rows], rows_per_run: int
) -> tuple[Array, ...]:
    """Return the outputs for all rows, computed in as many runs as they need. Raises NotFinite."""
    return tuple(map(check_finite, outputs, run_parts(session, outputs, inputs, rows_per_run)))


def run_parts(
    session: onnxruntime.InferenceSession, outputs: Sequence[str], inputs: Mapping[str, Rows], rows_per_run: int
) -> list[Array]:
    """Return the outputs for all rows, computed in as many runs as they need; they may be infinite."""
    count, options = len(next(iter(inputs.values()))), CURRENT_RUN.options
    if count <= rows_per_run:
        return list(session.run(outputs, inputs, options))
    starts = range(0, count, rows_per_run)
    chunks = [{name: array[at : at + rows_per_run] for name, array in inputs.items()} for at in starts]
    parts = [session.run(outputs, chunk, options) for chunk in chunks]
    return list(map(np.concatenate, zip(*parts, strict=True)))
