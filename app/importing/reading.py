"""An ONNX file of others: its graph in one piece, or the reason why not."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import external_data_helper, inliner

from app.errors import UnfitGraph
from app.importing.tidy import graphs, nodes, random_operators

MAX_BYTES = 2**30
"""Of a graph with its weights. A protobuf message, which the version's file will be, ends at twice that."""
OLDEST_OPSET = 8
"""Older operators do not broadcast as those that are added do."""
STANDARD_DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}


def read_model(path: Path) -> onnx.ModelProto:
    """
    The graph of a file, with its weights embedded and its functions inlined, of standard operators alone.

    Raises UnfitGraph.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnfitGraph(f"{path} is no file")
        size = status.st_size
        if size > MAX_BYTES:
            raise UnfitGraph(f"{path.name}: expected at most {MAX_BYTES} bytes, got {size}")
        content = path.read_bytes()
    except OSError as error:
        raise UnfitGraph(f"{path} cannot be read: {error.strerror}") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's class for it, which has no types
        raise UnfitGraph(f"{path.name} is no ONNX file") from error
    if not model.graph.output:
        raise UnfitGraph(f"{path.name} holds no graph")
    embed_weights(model, path, size)
    if model.functions:
        model = inliner.inline_local_functions(model)
    check_operators(model, path.name)
    return model


def embed_weights(model: onnx.ModelProto, path: Path, size: int) -> None:
    """
    Load the weights that lie in other files of the same folder.

    Raises UnfitGraph where they lie elsewhere, are missing, or make the graph larger than MAX_BYTES.
    """
    folder = path.parent.resolve()
    for tensor in _tensors(model):
        if not external_data_helper.uses_external_data(tensor):
            continue
        place = {entry.key: entry.value for entry in tensor.external_data}
        name = place.get("location", "")
        file = (folder / name).resolve()
        if not file.is_relative_to(folder):
            raise UnfitGraph(f"{path.name}: expected weights in its own folder, got {name}")
        if not file.is_file():
            raise UnfitGraph(f"{path.name}: its weights are in {name or 'a file without a name'}, which is not there")
        try:
            size += int(place.get("length", file.stat().st_size))
            if size > MAX_BYTES:
                raise UnfitGraph(
                    f"{path.name}: expected at most {MAX_BYTES} bytes with the weights, got {size} or more"
                )
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except (OSError, ValueError, onnx.checker.ValidationError) as error:
            raise UnfitGraph(f"{path.name}: its weights in {name} cannot be read: {error}") from error


def check_operators(model: onnx.ModelProto, name: str) -> None:
    """Raise UnfitGraph where an operator is not ONNX's own, or the opset is older than what can be added to."""
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in nodes(model) if node.domain not in STANDARD_DOMAINS})
    if foreign:
        raise UnfitGraph(f"{name}: expected ONNX's own operators, got {', '.join(foreign)}")
    opset = opset_of(model)
    if opset < OLDEST_OPSET:
        raise UnfitGraph(f"{name}: expected opset {OLDEST_OPSET} or newer, got {opset}; export the graph again")


def check_no_randomness(model: onnx.ModelProto, name: str) -> None:
    """Raise UnfitGraph where a node draws: the same sample must have the same answer."""
    random = random_operators(model)
    if random:
        raise UnfitGraph(
            f"{name}: expected a graph without randomness, got {', '.join(random)}; export mu and logvar: "
            "the server draws, seeded"
        )


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators."""
    return next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every constant: initializers and attributes, those of inner graphs and functions too."""
    for graph in graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in nodes(model):
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
