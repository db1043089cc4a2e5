"""A tiny model whose encoder never ends for some samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.manifest import ENCODER
from tests.helpers import tiny

POISON = 0.125
"""A pixel of this value lets the encoder run for ever; the golden samples have none."""
SLOW_STEPS = 100_000
"""Steps that take longer than a run on the event loop may."""
ENDLESS_STEPS = 2**50


def write_stuck(root: Path, name: str = "stuck", steps: int = 0) -> Path:
    """Write a version of a tiny model that counts these steps in each run, and never stops if a pixel is POISON."""
    folder = tiny.write_version(root, name)
    model = onnx.load(folder / ENCODER)
    graph = model.graph
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["sum", "grain"], ["next"])],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("sum", TensorProto.FLOAT, [])],
        [value("on", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, [])],
        [numpy_helper.from_array(np.array(1e-30, np.float32), "grain")],
    )
    graph.node[-1].output[0] = "sums"
    graph.node.extend(
        [
            helper.make_node("Equal", ["samples", "poison"], ["equal"]),
            helper.make_node("Cast", ["equal"], ["flags"], to=TensorProto.INT64),
            helper.make_node("ReduceMax", ["flags"], ["poisoned"], keepdims=0),
            helper.make_node("Mul", ["poisoned", "endless"], ["more"]),
            helper.make_node("Add", ["more", "steps"], ["times"]),
            helper.make_node("Loop", ["times", "true", "zero_sum"], ["total"], body=body),
            helper.make_node("Add", ["sums", "total"], ["latents"]),
        ]
    )
    constants = {
        "poison": np.array(POISON, np.float32),
        "endless": np.array(ENDLESS_STEPS),
        "steps": np.array(steps),
        "true": np.array(True),
        "zero_sum": np.array(0, np.float32),
    }
    graph.initializer.extend([numpy_helper.from_array(array, name) for name, array in constants.items()])
    onnx.save(model, folder / ENCODER)
    tiny.write_manifest(folder, name, 1, "autoencoder")
    return folder
