"""Rewrite a graph as the contract's: its own nodes, with steps in front and behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper, numpy_helper

from app.arrays import Rows
from app.errors import UnfitGraph
from app.importing.batches import free_batch_axis
from app.importing.original import Original
from app.importing.reading import STANDARD_DOMAINS, check_no_randomness
from app.importing.steps import Operator, Step, apply
from app.importing.tidy import forget_origin, graphs, inner_graphs

PREFIX = "original/"
"""Prefix of every name of the original graph, so that none equals a name of the contract."""
MIN_IR_VERSION = 4
"""In older versions, weights have to be inputs too."""


@dataclass(frozen=True)
class Port:
    """An input or output of the contract, the graph's tensor for it, and the steps between them."""

    name: str
    row_shape: tuple[int, ...]
    """The shape of one row in the contract."""
    graph_name: str
    steps: tuple[Step, ...]

    def describe(self) -> str:
        """Return a description of the steps; empty if neither names nor numbers change."""
        words = [step.words for step in self.steps if step.words]
        return ", ".join([f"named {self.name}"] * (self.graph_name != self.name) + words)


@dataclass(frozen=True)
class GraphPlan:
    """The plan by which a graph becomes the contract's encoder or decoder."""

    original: Original
    input: Port
    outputs: tuple[Port, ...]

    def expected_outputs(self, rows: Rows) -> list[Rows]:
        """Return the original's outputs for the contract's rows, in the contract's form. Raises UnfitGraph."""
        outputs = self.original.run(apply(self.input.steps, rows))
        return [apply(port.steps, outputs[port.graph_name]) for port in self.outputs]

    def describe(self) -> Iterator[str]:
        """Yield a line for each thing that the plan changes."""
        for port in (self.input, *self.outputs):
            if words := port.describe():
                yield f"{port.graph_name}: {words}"
        used = {port.graph_name for port in self.outputs}
        unused = [name for name in self.original.output_names if name not in used]
        if unused:
            yield f"{', '.join(unused)}: left out"
        if self.original.batch_size is not None:
            yield f"batch axis: fixed at {self.original.batch_size}, made free"

    def rewrite(self) -> onnx.ModelProto:
        """Return the contract's graph. Raises UnfitGraph if it is random or not valid."""
        model = onnx.ModelProto()
        model.CopyFrom(self.original.model)
        drop_unused(model, {port.graph_name for port in self.outputs})
        check_no_randomness(model, self.original.name)
        if self.original.batch_size is not None:
            free_batch_axis(model, self.original.batch_size)
        forget_origin(model)
        forget_foreign_opsets(model)
        add_prefix(model)
        self._connect(model)
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            raise UnfitGraph(f"{self.original.name}: {str(error).splitlines()[0]}") from error
        return model

    def _connect(self, model: onnx.ModelProto) -> None:
        """Put the steps around the graph, and replace its inputs and outputs by the contract's."""
        graph = model.graph
        nodes = _chain(graph, self.input.name, PREFIX + self.input.graph_name, self.input)
        nodes += graph.node
        for port in self.outputs:
            nodes += _chain(graph, PREFIX + port.graph_name, port.name, port)
        for field in (graph.node, graph.input, graph.output):
            del field[:]
        graph.node.extend(nodes)
        graph.input.append(_value_info(self.input))
        graph.output.extend(_value_info(port) for port in self.outputs)
        graph.name = "hourglass"
        model.ir_version = max(model.ir_version, MIN_IR_VERSION)


def _chain(graph: onnx.GraphProto, source: str, target: str, port: Port) -> list[onnx.NodeProto]:
    """Return the nodes of a port's steps from one name to another, and add their constants to the graph."""
    operators = [operator for step in port.steps for operator in step.operators] or [Operator("Identity")]
    nodes = []
    for index, operator in enumerate(operators):
        name = f"{port.name}/{operator.name}.{index}"
        constants = [numpy_helper.from_array(value, f"{name}.{at}") for at, value in enumerate(operator.constants)]
        graph.initializer.extend(constants)
        inputs = [source, *(constant.name for constant in constants)]
        output = target if index == len(operators) - 1 else name
        nodes.append(helper.make_node(operator.name, inputs, [output], name, **operator.attributes))
        source = output
    return nodes


def _value_info(port: Port) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(port.name, TensorProto.FLOAT, ["batch", *port.row_shape])


def drop_unused(model: onnx.ModelProto, outputs: set[str]) -> None:
    """Keep only these outputs, and the nodes and weights that they need."""
    graph = model.graph
    needed, nodes = set(outputs), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= _names_used(node) - {""}
            nodes.append(node)
    nodes.reverse()
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    values = [value for value in graph.output if value.name in outputs]
    for field, items in ((graph.node, nodes), (graph.initializer, weights), (graph.output, values)):
        copies = [type(item).FromString(item.SerializeToString()) for item in items]
        del field[:]
        field.extend(copies)


def forget_foreign_opsets(model: onnx.ModelProto) -> None:
    """Keep only the opsets of STANDARD_DOMAINS."""
    versions = [(entry.domain, entry.version) for entry in model.opset_import if entry.domain in STANDARD_DOMAINS]
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*version) for version in versions)


def add_prefix(model: onnx.ModelProto) -> None:
    """Put PREFIX before every name, also in inner graphs, whose nodes may use names of the outer graph."""
    for graph in graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.initializer):
            value.name = PREFIX + value.name
        for sparse in graph.sparse_initializer:
            sparse.values.name = PREFIX + sparse.values.name
        for node in graph.node:
            node.name = PREFIX + node.name if node.name else ""
            for field in (node.input, node.output):
                names = [PREFIX + name if name else "" for name in field]
                del field[:]
                field.extend(names)


def _names_used(node: onnx.NodeProto) -> set[str]:
    """Return the names of a node's inputs, and those that the graphs inside it use."""
    names = set(node.input)
    for outer in inner_graphs(node):
        for graph in graphs(outer):
            names |= {value.name for value in graph.output}
            names |= {name for inner in graph.node for name in inner.input}
    return names
