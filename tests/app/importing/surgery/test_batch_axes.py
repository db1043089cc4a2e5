"""The batch axis is followed through nodes that move it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from app.importing.surgery.batch_axes import batch_axes, reshaped_axis
from tests.helpers.foreign import node

AXES = [
    (node("Transpose", "x", "y", perm=[1, 0, 2]), {}, 1),
    (node("Transpose", "x", "y", perm=[2, 1, 0]), {}, 2),
    (node("Relu", "x", "y"), {}, 0),
    (node("LSTM", "x w r", "y", hidden_size=2), {}, 2),
    (node("GRU", "x w r", "all y", hidden_size=2), {}, 1),
    (node("LSTM", "x w r", "y", hidden_size=2, layout=1), {}, 0),
    (node("Unsqueeze", "x axes", "y"), {"axes": np.array([0])}, 1),
    (node("Unsqueeze", "x axes", "y"), {"axes": np.array([1])}, 0),
]


@pytest.mark.parametrize(("made", "constants", "axis"), AXES)
def test_nodes_move_the_batch(made: onnx.NodeProto, constants: dict[str, np.ndarray], axis: int) -> None:
    graph = helper.make_graph([made], "one", [], [])
    shapes = {"x": [5, 6, 7], "y": [5, 6, 7]}
    assert batch_axes(helper.make_model(graph), ["x"], shapes, constants)["y"] == axis


def test_a_gathered_or_squeezed_axis_in_front_moves_the_batch_forward() -> None:
    nodes = [
        node("Transpose", "x", "turned", perm=[1, 0, 2]),
        node("Gather", "turned last", "y", axis=0),
        node("Unsqueeze", "y zero", "wide"),
        node("Squeeze", "wide zero", "narrow"),
    ]
    constants = {"last": np.array(-1), "zero": np.array([0])}
    model = helper.make_model(helper.make_graph(nodes, "four", [], []))
    axes = batch_axes(model, ["x"], {}, constants)
    assert [axes[name] for name in ("turned", "y", "wide", "narrow")] == [1, 0, 1, 0]


RESHAPES = [
    (1, [24, 1, 16], [24, 1, 16], 1),
    (1, [24, 1, 1, 16], [24, 1, 16], 1),
    (1, [24, 4, 2, 3], [24, 4, 6], 1),
    (1, [24, 4, 2, 3], [24, 4, -1], 1),
    (2, [24, 1, 4, 3], [24, 4, 3], 1),
    (1, [24, 4, 3], [96, 3], None),
    (0, [4, 24, 3], [4, 72], 0),
    (0, [None, 24], [4, 24], 0),
    (1, [None, 4], [4, 24], None),
]


@pytest.mark.parametrize(("axis", "shape", "target", "expected"), RESHAPES)
def test_a_reshape_keeps_the_batch_where_the_numbers_before_it_are_as_many(
    axis: int, shape: list[int | None], target: list[int], expected: int | None
) -> None:
    assert reshaped_axis(axis, shape, target) == expected
