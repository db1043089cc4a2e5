"""Keep some outputs of a graph, and only the nodes, weights and inputs that they need."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx

from app.importing.tidy import graphs, inner_graphs


def drop_unused(model: onnx.ModelProto, outputs: Collection[str]) -> None:
    """Keep only these outputs, and the nodes, weights and inputs that they need."""
    graph = model.graph
    needed, nodes = set(outputs), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= names_used(node) - {""}
            nodes.append(node)
    nodes.reverse()
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    sparse_weights = [tensor for tensor in graph.sparse_initializer if tensor.values.name in needed]
    inputs = [value for value in graph.input if value.name in needed]
    values = [value for value in graph.output if value.name in outputs]
    replace(graph.node, nodes)
    replace(graph.initializer, weights)
    replace(graph.sparse_initializer, sparse_weights)
    replace(graph.input, inputs or list(graph.input))  # an output that needs none is refused when it is run
    replace(graph.output, values)


def replace(field: Sequence[object], items: Sequence[object]) -> None:
    """Replace the items of a repeated field by others, which may be some of its own."""
    copies = [type(item).FromString(item.SerializeToString()) for item in items]  # type: ignore[attr-defined]
    del field[:]  # type: ignore[attr-defined]
    field.extend(copies)  # type: ignore[attr-defined]


def names_used(node: onnx.NodeProto) -> set[str]:
    """Return the names of a node's inputs, and those that the graphs inside it use."""
    names = set(node.input)
    for outer in inner_graphs(node):
        for graph in graphs(outer):
            names |= {value.name for value in graph.output}
            names |= {name for inner in graph.node for name in inner.input}
    return names


def dependent_names(model: onnx.ModelProto, sources: Collection[str]) -> set[str]:
    """Return the names of the sources and of every tensor that is calculated from them."""
    dependent = set(sources)
    for node in model.graph.node:
        if dependent & names_used(node):
            dependent |= set(node.output) - {""}
    return dependent


def input_names(model: onnx.ModelProto) -> list[str]:
    """Return the names of the graph's inputs without the weights, which older graphs list as inputs, too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in weights]
