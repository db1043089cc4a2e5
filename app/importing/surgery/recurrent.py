"""Make the initial states of recurrent nodes follow the batch, if they are constants for a fixed number of rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from app.importing.surgery.pruning import dependent_names, drop_unused, input_names

INITIAL_STATES = {"RNN": (5,), "GRU": (5,), "LSTM": (5, 6)}
"""The places of initial states among the inputs of recurrent nodes. Shape: (directions, rows, size)"""
SEQUENCE_LENGTHS = 4
"""The place of the lengths of sequences. Shape: (rows,)"""
SILENT = 4


def free_initial_states(model: onnx.ModelProto, batch_size: int) -> None:
    """Leave out constant initial states that are zeros, and repeat the first row's of others for each row."""
    variable = dependent_names(model, input_names(model))
    made: list[tuple[int, list[onnx.NodeProto]]] = []
    for index, node in enumerate(model.graph.node):
        rows_first = any(attribute.name == "layout" and attribute.i for attribute in node.attribute)
        if node.op_type not in INITIAL_STATES or rows_first:
            continue
        _drop_full_lengths(model, node, variable, batch_size)
        for place in INITIAL_STATES[node.op_type]:
            name = node.input[place] if place < len(node.input) else ""
            state = constant_value(model, name) if name and name not in variable else None
            if state is None or state.ndim != 3 or state.shape[1] != batch_size:
                continue
            if not state.any():
                node.input[place] = ""
            elif (state == state[:, :1]).all():
                made.append((index, _repeated(model, node, place, state)))
    for index, nodes in reversed(made):
        for node in reversed(nodes):
            model.graph.node.insert(index, node)


def constant_value(model: onnx.ModelProto, name: str) -> npt.NDArray[np.generic] | None:
    """Return the value of a tensor that does not depend on the inputs, or None if it cannot be calculated."""
    for tensor in model.graph.initializer:
        if tensor.name == name:
            return numpy_helper.to_array(tensor)
    part = onnx.ModelProto()
    part.CopyFrom(model)
    del part.graph.output[:]
    part.graph.output.append(onnx.ValueInfoProto(name=name))
    drop_unused(part, {name})
    del part.graph.input[:]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    try:
        session = onnxruntime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
        (value,) = session.run(None, {})
    except Exception:  # onnxruntime raises a class of its own for each failure
        return None
    return np.asarray(value)


def _repeated(
    model: onnx.ModelProto, node: onnx.NodeProto, place: int, state: npt.NDArray[np.generic]
) -> list[onnx.NodeProto]:
    """Return nodes that repeat a state for as many rows as the node's input has, and make the node use them."""
    prefix = f"{node.output[0] or node.name}/state.{place}"
    for name, value in (("one", state[:, :1]), ("axis", np.array([1], np.int64)), ("size", np.array([1], np.int64))):
        model.graph.initializer.append(numpy_helper.from_array(value, f"{prefix}/{name}"))
    nodes = [
        helper.make_node("Shape", [node.input[0]], [f"{prefix}/shape"]),
        helper.make_node("Gather", [f"{prefix}/shape", f"{prefix}/axis"], [f"{prefix}/rows"]),
        helper.make_node("Concat", [f"{prefix}/size", f"{prefix}/rows", f"{prefix}/size"], [f"{prefix}/to"], axis=0),
        helper.make_node("Expand", [f"{prefix}/one", f"{prefix}/to"], [f"{prefix}/states"]),
    ]
    node.input[place] = f"{prefix}/states"
    return nodes


def _drop_full_lengths(model: onnx.ModelProto, node: onnx.NodeProto, variable: set[str], batch_size: int) -> None:
    """Leave out constant lengths of sequences if all are equal: an exporter's example is as long as its input."""
    name = node.input[SEQUENCE_LENGTHS] if len(node.input) > SEQUENCE_LENGTHS else ""
    lengths = constant_value(model, name) if name and name not in variable else None
    if lengths is not None and lengths.shape == (batch_size,) and (lengths == lengths[0]).all():
        node.input[SEQUENCE_LENGTHS] = ""
