"""Read an ONNX file made elsewhere, or report why it cannot be used."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import external_data_helper, inliner

from app.errors import UnfitGraph
from app.importing.tidy import graphs, nodes

MAX_BYTES = 2**30
"""Largest size of a graph with its weights. The version's file is a protobuf message, which may be twice as large."""
MIN_OPSET = 8
"""Operators of older opsets do not broadcast like the ones that an import adds."""
STANDARD_DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}
RUNTIME_DOMAINS = {"com.microsoft"}
"""Domains of onnxruntime's own operators, which every onnxruntime has: those of its quantiser and its optimiser."""


def read_model(path: Path) -> onnx.ModelProto:
    """
    Return the graph of a file, with its weights embedded and its functions inlined.

    Raises UnfitGraph. Operators are checked by `check_operators`, after what is not used was left out.
    """
    content = _read_file(path)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf raises a class that has no type annotations
        raise UnfitGraph(f"{path.name} is not an ONNX file") from error
    if not model.graph.output:
        raise UnfitGraph(f"{path.name} holds no graph")
    embed_weights(model, path, len(content))
    if model.functions:
        model = inliner.inline_local_functions(model)
    return model


def _read_file(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnfitGraph(f"{path} is not a file")
        if status.st_size > MAX_BYTES:
            raise UnfitGraph(f"{path.name}: expected at most {MAX_BYTES} bytes, got {status.st_size}")
        return path.read_bytes()
    except OSError as error:
        raise UnfitGraph(f"{path} cannot be read: {error.strerror}") from error


def embed_weights(model: onnx.ModelProto, path: Path, size: int) -> None:
    """
    Load weights that are in other files of the same folder into the graph, whose own file has `size` bytes.

    Raises UnfitGraph if they are elsewhere or missing, or make the graph larger than MAX_BYTES.
    """
    folder = path.parent.resolve()
    for tensor in _tensors(model):
        if external_data_helper.uses_external_data(tensor):
            size += _embed(tensor, folder, path.name, MAX_BYTES - size)


def _embed(tensor: onnx.TensorProto, folder: Path, name: str, limit: int) -> int:
    """Load the numbers of one tensor from its file, at most `limit` bytes. Returns their size in bytes."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    file = (folder / location).resolve()
    if not file.is_relative_to(folder):
        raise UnfitGraph(f"{name}: expected weights in its own folder, got {location}")
    if not file.is_file():
        raise UnfitGraph(f"{name}: its weights are in {location or 'a file without a name'}, which does not exist")
    try:
        size = int(entries.get("length", file.stat().st_size))
        if size > limit:
            total = MAX_BYTES - limit + size
            raise UnfitGraph(f"{name}: expected at most {MAX_BYTES} bytes with the weights, got {total} or more")
        external_data_helper.load_external_data_for_tensor(tensor, str(folder))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise UnfitGraph(f"{name}: its weights in {location} cannot be read: {error}") from error
    return size


def check_operators(model: onnx.ModelProto, name: str) -> None:
    """Raise UnfitGraph if onnxruntime does not have an operator everywhere, or the opset is older than MIN_OPSET."""
    foreign = sorted(
        {
            f"{node.domain}.{node.op_type}"
            for node in nodes(model)
            if node.domain not in STANDARD_DOMAINS | RUNTIME_DOMAINS
        }
    )
    if any(operator.startswith("com.microsoft.nchwc.") for operator in foreign):
        raise UnfitGraph(
            f"{name}: expected operators that every processor has, got {', '.join(foreign)}; save it with "
            "ORT_ENABLE_EXTENDED in place of ORT_ENABLE_ALL, or import the graph that onnxruntime optimised"
        )
    if foreign:
        raise UnfitGraph(
            f"{name}: expected ONNX's own operators or onnxruntime's, got {', '.join(foreign)}; export the graph "
            "without the custom operator, for example written with standard ones"
        )
    opset = opset_of(model)
    if opset < MIN_OPSET:
        raise UnfitGraph(f"{name}: expected opset {MIN_OPSET} or newer, got {opset}; export the graph again")


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators that a graph uses."""
    return next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every constant: initializers and attributes, also those of inner graphs and of functions."""
    for graph in graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in nodes(model):
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
