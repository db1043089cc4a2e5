"""Graphs are walked with all that is inside them, and their origin and random operators are found."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import helper

from app.importing.tidy import (
    MAX_INSPECTED_CONSTANT_SIZE,
    Tolerance,
    forget_origin,
    graphs,
    largest_difference,
    nodes,
    random_operators,
    small_constants,
)
from tests.helpers.foreign import constant, node


def model_of(*operators: onnx.NodeProto, constants: tuple[onnx.TensorProto, ...] = ()) -> onnx.ModelProto:
    """Return a model of these nodes."""
    return helper.make_model(helper.make_graph(operators, "outer", [], [], constants))


def branches(name: str) -> onnx.NodeProto:
    """Return an If node; its branches hold one node each, of types Relu and Tanh."""
    inner = [helper.make_graph([node(operator, "x", "y")], operator, [], []) for operator in ("Relu", "Tanh")]
    return node("If", "condition", name, then_branch=inner[0], else_branch=inner[1])


def test_graphs_and_nodes_inside_nodes_are_walked() -> None:
    model = model_of(node("Exp", "x", "y"), branches("z"))
    assert {graph.name for graph in graphs(model.graph)} == {"outer", "Relu", "Tanh"}
    assert sorted(each.op_type for each in nodes(model)) == ["Exp", "If", "Relu", "Tanh"]


def test_nodes_of_functions_are_walked() -> None:
    model = model_of(helper.make_node("Twice", ["x"], ["y"], domain="own"))
    function = helper.make_function("own", "Twice", ["a"], ["b"], [node("Add", "a a", "b")], [])
    model.functions.append(function)
    assert [each.op_type for each in nodes(model)] == ["Twice", "Add"]


def test_small_constants_are_found_by_name() -> None:
    model = model_of(
        helper.make_node("Constant", [], ["shape"], value_ints=[1, 2]),
        helper.make_node("Constant", [], ["half"], value=constant("", 0.5)),
        constants=(
            constant("small", np.zeros(MAX_INSPECTED_CONSTANT_SIZE)),
            constant("large", np.zeros(MAX_INSPECTED_CONSTANT_SIZE + 1)),
        ),
    )
    constants = small_constants(model)
    assert constants.keys() == {"shape", "half", "small"}
    assert constants["shape"].tolist() == [1, 2]
    assert constants["half"] == 0.5


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (node("RandomNormalLike", "x", "y"), ["RandomNormalLike"]),
        (node("Dropout", "x", "y"), []),
        (node("Dropout", "x ratio no", "y"), []),
        (node("Dropout", "x ratio yes", "y"), ["Dropout in training mode"]),
        (node("Dropout", "x ratio unknown", "y"), ["Dropout in training mode"]),
        (node("Exp", "x", "y"), []),
    ],
)
def test_random_operators_are_found(operator: onnx.NodeProto, expected: list[str]) -> None:
    switches = (constant("yes", True, np.bool_), constant("no", False, np.bool_))
    assert random_operators(model_of(operator, constants=switches)) == expected


def test_the_origin_is_removed_from_every_graph() -> None:
    model = model_of(branches("z"))
    model.doc_string = "/home/somebody/secret.py"
    for graph in graphs(model.graph):
        graph.doc_string = "/home/somebody/secret.py"
        graph.node[0].doc_string = "/home/somebody/secret.py"
    forget_origin(model)
    assert b"secret" not in model.SerializeToString()


def test_the_tolerance_grows_with_the_largest_number() -> None:
    tolerance, expected = Tolerance(0.5, 0.1), np.array([1, -20])
    assert tolerance.allows(2.5, expected)
    assert not tolerance.allows(2.6, expected)
    assert not tolerance.allows(math.nan, expected)


def test_the_largest_difference_of_unequal_shapes_is_infinite() -> None:
    assert largest_difference(np.array([1, 5]), np.array([2, 3])) == 2
    assert largest_difference(np.array([1, 5]), np.array([[1, 5]])) == math.inf
