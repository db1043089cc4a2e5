"""Only what an output needs is kept."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from app.importing.surgery.pruning import dependent_names, drop_unused, input_names, names_used
from tests.helpers import foreign
from tests.helpers.foreign import LATENTS, SHAPE, SIZE, constant, node, save


@pytest.fixture
def model(tmp_path: Path) -> onnx.ModelProto:
    """Return a graph with two inputs and three outputs, one of which is a draw."""
    return onnx.load(
        save(
            tmp_path / "e.onnx",
            [
                node("MatMul", "x w", "mu"),
                node("MatMul", "x u", "logvar"),
                node("Mul", "logvar noise", "shift"),
                node("Add", "mu shift", "z"),
            ],
            [("x", ["n", SIZE]), ("noise", ["n", LATENTS])],
            [(name, ["n", LATENTS]) for name in ("mu", "logvar", "z")],
            [constant(name, foreign.weights(1, SIZE, LATENTS)) for name in "wu"],
        )
    )


def test_nodes_weights_and_inputs_of_other_outputs_are_dropped(model: onnx.ModelProto) -> None:
    drop_unused(model, {"mu"})
    assert [made.output[0] for made in model.graph.node] == ["mu"]
    assert [tensor.name for tensor in model.graph.initializer] == ["w"]
    assert [value.name for value in model.graph.input] == ["x"]
    assert [value.name for value in model.graph.output] == ["mu"]


def test_the_order_of_outputs_stays(model: onnx.ModelProto) -> None:
    drop_unused(model, {"logvar", "mu"})
    assert [value.name for value in model.graph.output] == ["mu", "logvar"]
    onnx.checker.check_model(model)


def test_everything_that_depends_on_a_tensor_is_named(model: onnx.ModelProto) -> None:
    assert dependent_names(model, {"noise"}) == {"noise", "shift", "z"}
    assert input_names(model) == ["x", "noise"]


def test_names_inside_branches_count_as_used(tmp_path: Path) -> None:
    path = foreign.encoder(tmp_path / "e.onnx", SHAPE)
    inner = onnx.load(path).graph
    branch = onnx.helper.make_node("If", ["condition"], ["y"], then_branch=inner, else_branch=inner)
    assert {"condition", "x", "w"} <= names_used(branch)
