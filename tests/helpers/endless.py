"""Versions of the tiny model whose encoder does not end for one number, and may take some time for all others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from app.manifest import ENCODER
from tests.helpers import tiny

ENDLESS = 0.0625
"""A run whose samples contain this number does not end."""
MANY_BOXES = 300_000
"""Boxes that are compared in pairs, in one node that onnxruntime cannot stop: about two minutes."""
MANY_TURNS = 2**62


def write_endless(root: Path, name: str = "endless", turns: int = 1, *, stoppable: bool = True) -> Path:
    """Write a version whose loop has this number of turns, about 1 µs each. It is not stoppable within one node."""
    folder = tiny.write_version(root, name)
    onnx.save(_encoder(turns, stoppable), folder / ENCODER)
    tiny.write_manifest(folder, name, 1, "autoencoder")
    return folder


def _encoder(turns: int, stoppable: bool) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Equal", ["samples", "endless"], ["equal"]),
        helper.make_node("Cast", ["equal"], ["numbers"], to=TensorProto.INT64),
        helper.make_node("ReduceMax", ["numbers"], ["found"], keepdims=0),
        helper.make_node("Cast", ["found"], ["is_endless"], to=TensorProto.BOOL),
        helper.make_node("Where", ["is_endless", "many", "few"], ["turns"]),
        helper.make_node("Loop", ["turns", "", "samples"], ["looped"], body=_loop_body()),
        helper.make_node("Where", ["is_endless", "boxes", "one"], ["count"]),
        *_compared_boxes("count"),
        helper.make_node("Mul", ["selected", "zero"], ["nothing"]),
        helper.make_node("Add", ["looped", "nothing"], ["same"]),
        helper.make_node("Flatten", ["same"], ["flat"]),
        helper.make_node("MatMul", ["flat", "pool"], ["latents"]),
    ]
    weights = [
        _constant("endless", ENDLESS),
        _constant("zero", 0.0),
        _constant("unit", 1.0),
        _integer("many", MANY_TURNS if stoppable else turns),
        _integer("few", turns),
        _integer("boxes", 1 if stoppable else MANY_BOXES),
        _integer("one", 1),
        numpy_helper.from_array(tiny.POOL, "pool"),
        numpy_helper.from_array(np.array([1]), "ones"),
        numpy_helper.from_array(np.array([4]), "four"),
        numpy_helper.from_array(np.array([0]), "first"),
    ]
    return tiny.graph(nodes, [("samples", (1, 2, 2))], [("latents", (2,))], weights)


def _loop_body() -> onnx.GraphProto:
    """Build the body of a loop that multiplies by one."""
    nodes = [
        helper.make_node("Identity", ["condition"], ["go_on"]),
        helper.make_node("Mul", ["value", "unit"], ["product"]),
    ]
    inputs = [
        helper.make_tensor_value_info("turn", TensorProto.INT64, []),
        helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
        _value("value", TensorProto.FLOAT),
    ]
    return helper.make_graph(
        nodes, "body", inputs, [_value("go_on", TensorProto.BOOL), _value("product", TensorProto.FLOAT)]
    )


def _compared_boxes(count: str) -> list[NodeProto]:
    """Build nodes that compare boxes in pairs: the time is the square of their count. `selected` is their number."""
    return [
        helper.make_node("Unsqueeze", [count, "first"], [f"{count}_list"]),
        helper.make_node("Concat", [f"{count}_list", "four"], ["box_shape"], axis=0),
        helper.make_node("Concat", ["ones", "box_shape"], ["boxes_shape"], axis=0),
        helper.make_node("ConstantOfShape", ["boxes_shape"], ["all_boxes"]),
        helper.make_node("Concat", ["ones", "ones", f"{count}_list"], ["scores_shape"], axis=0),
        helper.make_node("ConstantOfShape", ["scores_shape"], ["scores"]),
        helper.make_node("NonMaxSuppression", ["all_boxes", "scores", f"{count}_list"], ["indices"]),
        helper.make_node("Shape", ["indices"], ["indices_shape"]),
        helper.make_node("ReduceMax", ["indices_shape"], ["selected_count"], keepdims=0),
        helper.make_node("Cast", ["selected_count"], ["selected"], to=TensorProto.FLOAT),
    ]


def _constant(name: str, number: float) -> TensorProto:
    return numpy_helper.from_array(np.array(number, np.float32), name)


def _integer(name: str, number: int) -> TensorProto:
    return numpy_helper.from_array(np.array(number, np.int64), name)


def _value(name: str, kind: TensorProto.DataType) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, None)
