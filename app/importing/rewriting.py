"""The contract's graph: the original's nodes, with steps in front and behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper, numpy_helper

from app.errors import UnfitGraph
from app.importing.batches import free_batch_axis
from app.importing.original import Original
from app.importing.reading import STANDARD_DOMAINS, check_no_randomness
from app.importing.steps import Operator, Rows, Step, apply
from app.importing.tidy import forget_origin, graphs, inner_graphs

INSIDE = "original/"
"""Before every name of the original's, so that none is one of the contract's."""


@dataclass(frozen=True)
class Port:
    """A tensor of the contract, that of the graph which it stands for, and the steps between them."""

    name: str
    shape: tuple[int, ...]
    """Of one row, in the contract."""
    inner: str
    steps: tuple[Step, ...]

    def describe(self) -> str:
        """What the steps do, for a person; empty where names and numbers stay as they are."""
        words = [step.words for step in self.steps if step.words]
        return ", ".join([f"named {self.name}"] * (self.inner != self.name) + words)


@dataclass(frozen=True)
class Plan:
    """How a graph becomes one of the contract's."""

    original: Original
    taken: Port
    given: tuple[Port, ...]

    def answers(self, rows: Rows) -> list[Rows]:
        """What the original says to the contract's rows, in the contract's terms, by numpy. Raises UnfitGraph."""
        outputs = self.original.run(apply(self.taken.steps, rows))
        return [apply(port.steps, outputs[port.inner]) for port in self.given]

    def describe(self) -> Iterator[str]:
        """What is adapted, a line each."""
        for port in (self.taken, *self.given):
            if words := port.describe():
                yield f"{port.inner}: {words}"
        left_out = [name for name in self.original.outputs if name not in {port.inner for port in self.given}]
        if left_out:
            yield f"{', '.join(left_out)}: left out"
        if self.original.batch is not None:
            yield f"batch axis: fixed at {self.original.batch}, made free"

    def rewrite(self) -> onnx.ModelProto:
        """The contract's graph. Raises UnfitGraph where what is left of the original draws or is not valid."""
        model = onnx.ModelProto()
        model.CopyFrom(self.original.model)
        drop_unused(model, {port.inner for port in self.given})
        check_no_randomness(model, self.original.name)
        if self.original.batch is not None:
            free_batch_axis(model, self.original.batch)
        forget_origin(model)
        forget_foreign_opsets(model)
        name_inside(model)
        self._connect(model)
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            raise UnfitGraph(f"{self.original.name}: {str(error).splitlines()[0]}") from error
        return model

    def _connect(self, model: onnx.ModelProto) -> None:
        """Put the steps around the graph, and the contract's inputs and outputs in place of its own."""
        graph = model.graph
        nodes = _chain(graph, self.taken.name, INSIDE + self.taken.inner, self.taken)
        nodes += graph.node
        for port in self.given:
            nodes += _chain(graph, INSIDE + port.inner, port.name, port)
        for field in (graph.node, graph.input, graph.output):
            del field[:]
        graph.node.extend(nodes)
        graph.input.append(_value(self.taken))
        graph.output.extend(_value(port) for port in self.given)
        graph.name = "hourglass"
        model.ir_version = max(model.ir_version, 4)  # before, weights had to be inputs too


def _chain(graph: onnx.GraphProto, source: str, target: str, port: Port) -> list[onnx.NodeProto]:
    """The nodes of a port's steps from one name to another; their constants go into the graph."""
    operators = [operator for step in port.steps for operator in step.operators] or [Operator("Identity")]
    nodes = []
    for index, operator in enumerate(operators):
        name = f"{port.name}/{operator.name}.{index}"
        constants = [numpy_helper.from_array(value, f"{name}.{at}") for at, value in enumerate(operator.constants)]
        graph.initializer.extend(constants)
        given = target if index == len(operators) - 1 else name
        taken = [source, *(constant.name for constant in constants)]
        nodes.append(helper.make_node(operator.name, taken, [given], name, **operator.attributes))
        source = given
    return nodes


def _value(port: Port) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(port.name, TensorProto.FLOAT, ["batch", *port.shape])


def drop_unused(model: onnx.ModelProto, outputs: set[str]) -> None:
    """Keep only these outputs, and the nodes and weights that they need."""
    graph = model.graph
    needed, kept = set(outputs), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= _names_used(node) - {""}
            kept.append(node)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    given = [value for value in graph.output if value.name in outputs]
    kept.reverse()
    for field, left in ((graph.node, kept), (graph.initializer, weights), (graph.output, given)):
        copies = [type(item).FromString(item.SerializeToString()) for item in left]
        del field[:]
        field.extend(copies)


def forget_foreign_opsets(model: onnx.ModelProto) -> None:
    """Keep only the opsets of STANDARD_DOMAINS."""
    kept = [entry for entry in model.opset_import if entry.domain in STANDARD_DOMAINS]
    versions = [(entry.domain, entry.version) for entry in kept]
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*version) for version in versions)


def name_inside(model: onnx.ModelProto) -> None:
    """Put INSIDE before every name; those of inner graphs too, as they may name what is around them."""
    for graph in graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.initializer):
            value.name = INSIDE + value.name
        for sparse in graph.sparse_initializer:
            sparse.values.name = INSIDE + sparse.values.name
        for node in graph.node:
            node.name = INSIDE + node.name if node.name else ""
            for field in (node.input, node.output):
                renamed = [INSIDE + name if name else "" for name in field]
                del field[:]
                field.extend(renamed)


def _names_used(node: onnx.NodeProto) -> set[str]:
    """What a node takes, and what the graphs inside it name."""
    names = set(node.input)
    for outer in inner_graphs(node):
        for graph in graphs(outer):
            names |= {value.name for value in graph.output}
            names |= {name for inner in graph.node for name in inner.input}
    return names
