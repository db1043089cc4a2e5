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
from app.importing.reading import RUNTIME_DOMAINS, STANDARD_DOMAINS
from app.importing.steps import Operator, Step, apply
from app.importing.tidy import forget_origin, graphs, nodes

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
    """The graph's tensor; empty for an input of the contract that the graph ignores."""
    steps: tuple[Step, ...]
    type: int = TensorProto.FLOAT
    """The type of its numbers in the contract."""

    def describe(self) -> str:
        """Return a description of the steps; empty if neither names nor numbers change."""
        if not self.graph_name:
            return "ignored by the graph"
        words = [step.words for step in self.steps if step.words]
        return ", ".join([f"named {self.name}"] * (self.graph_name != self.name) + words)


@dataclass(frozen=True)
class GraphPlan:
    """The plan by which a graph becomes the contract's encoder or decoder."""

    original: Original
    inputs: tuple[Port, ...]
    """Samples or latents and, if the graph is conditional, labels."""
    outputs: tuple[Port, ...]

    def expected_outputs(self, rows: Rows, labels: Rows | None = None) -> list[Rows]:
        """
        Return the original's outputs for the contract's rows, in the contract's form. Raises UnfitGraph.

        A graph that is not conditional ignores the labels.
        """
        outputs = self.original_outputs(rows, labels)
        return [apply(port.steps, outputs[port.graph_name]) for port in self.outputs]

    def original_outputs(self, rows: Rows, labels: Rows | None = None) -> dict[str, Rows]:
        """Return the original's outputs for the contract's rows, by the original's names. Raises UnfitGraph."""
        arrays = self.arrays(rows, labels)
        used = [port for port in self.inputs if port.graph_name]
        return self.original.run({port.graph_name: apply(port.steps, arrays[port.name]) for port in used})

    def arrays(self, rows: Rows, labels: Rows | None) -> dict[str, Rows]:
        """Return the contract's rows and, if the graph is conditional, their labels, by the contract's names."""
        arrays = dict(zip((port.name for port in self.inputs), (rows, labels), strict=False))
        assert all(array is not None for array in arrays.values()), "a conditional graph needs labels"
        return arrays  # type: ignore[return-value]

    def describe(self) -> Iterator[str]:
        """Yield a line for each thing that the plan changes."""
        for port in (*self.inputs, *self.outputs):
            if words := port.describe():
                yield f"{port.graph_name or port.name}: {words}"
        used = {port.graph_name for port in self.outputs}
        unused = [name for name in self.original.file.outputs if name not in used]
        if unused:
            yield f"{', '.join(unused)}: left out"
        if self.original.batch_size is not None:
            yield f"batch axis: fixed at {self.original.batch_size}, made free"

    def rewrite(self) -> onnx.ModelProto:
        """Return the contract's graph. Raises UnfitGraph if it is not valid."""
        model = onnx.ModelProto()
        model.CopyFrom(self.original.model)
        if self.original.batch_size is not None:
            free_batch_axis(model, self.original.batch_size)
        forget_origin(model)
        forget_foreign_opsets(model)
        add_prefix(model)
        self._connect(model)
        if any(node.domain in RUNTIME_DOMAINS for node in nodes(model)):
            return model  # onnx has no definition of these operators; onnxruntime checks them when it opens the graph
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            raise UnfitGraph(f"{self.original.name}: {str(error).splitlines()[0]}") from error
        return model

    def _connect(self, model: onnx.ModelProto) -> None:
        """Put the steps around the graph, and replace its inputs and outputs by the contract's."""
        graph = model.graph
        chained: list[onnx.NodeProto] = []
        for port in filter(lambda port: port.graph_name, self.inputs):
            chained += _chain(graph, port.name, PREFIX + port.graph_name, port)
        chained += graph.node
        for port in self.outputs:
            chained += _chain(graph, PREFIX + port.graph_name, port.name, port)
        for field in (graph.node, graph.input, graph.output):
            del field[:]
        graph.node.extend(chained)
        graph.input.extend(_value_info(port) for port in self.inputs)
        graph.output.extend(_value_info(port) for port in self.outputs)
        graph.name = "hourglass"
        model.ir_version = max(model.ir_version, MIN_IR_VERSION)


def _chain(graph: onnx.GraphProto, source: str, target: str, port: Port) -> list[onnx.NodeProto]:
    """Return the nodes of a port's steps from one name to another, and add their constants to the graph."""
    operators = [operator for step in port.steps for operator in step.operators] or [Operator("Identity")]
    made = []
    for index, operator in enumerate(operators):
        name = f"{port.name}/{operator.name}.{index}"
        constants = [numpy_helper.from_array(value, f"{name}.{at}") for at, value in enumerate(operator.constants)]
        graph.initializer.extend(constants)
        inputs = [source, *(constant.name for constant in constants)]
        output = target if index == len(operators) - 1 else name
        made.append(helper.make_node(operator.name, inputs, [output], name, **operator.attributes))
        source = output
    return made


def _value_info(port: Port) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(port.name, port.type, ["batch", *port.row_shape])


def forget_foreign_opsets(model: onnx.ModelProto) -> None:
    """Keep only the opsets of STANDARD_DOMAINS, and those of RUNTIME_DOMAINS that are used."""
    domains = STANDARD_DOMAINS | ({node.domain for node in nodes(model)} & RUNTIME_DOMAINS)
    versions = [(entry.domain, entry.version) for entry in model.opset_import if entry.domain in domains]
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
