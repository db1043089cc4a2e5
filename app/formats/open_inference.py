"""
Read requests and write answers of the Open Inference Protocol, version 2: JSON, which binary tensors may follow.

Members that the protocol does not name are ignored, because clients send some.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.arrays import Rows
from app.errors import InvalidInput, MalformedBody
from app.formats.json_answer import write_object
from app.formats.json_body import load, read_document
from app.formats.json_errors import describe
from app.formats.tensors import (
    DTYPES,
    Blobs,
    Tensor,
    check_shape,
    numbers_from_bytes,
    read_member,
    read_tensor,
    tensor_parameters,
)

MAX_TENSORS = 64
"""Inputs, or outputs, of a request. No model here has more than two."""
EXAMPLE = '{"inputs": [{"name": "samples", "shape": [1, 784], "datatype": "FP32", "data": [0, 0.5]}]}'


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """A request for one run of a model."""

    inputs: dict[str, Tensor]
    parameters: dict[str, Any]
    outputs: dict[str, bool] | None
    """The wanted outputs by name, True if as bytes. None: all."""
    binary: bool = False
    """True if outputs come as bytes by default."""
    id: str | None = None


def read_request(content: bytes, header_length: int | None) -> InferenceRequest:
    """
    Read a request: only JSON, or `header_length` bytes of JSON and then the binary tensors that it describes.

    Raises MalformedBody, NotFinite, NotNumbers, RaggedRows, EmptyBatch, InvalidInput or Refused.
    """
    end = len(content) if header_length is None else header_length
    if end > len(content):
        raise MalformedBody(f"Inference-Header-Content-Length: expected at most {len(content)}, got {end}")
    document = read_document(content, "data") if header_length is None else load(content[:end], EXAMPLE)
    if not isinstance(document, dict):
        raise MalformedBody(f"expected an object such as {EXAMPLE}, got {describe(document)}")
    parameters = dict(read_member(document, "parameters", dict, {}, "the request"))
    binary = _flag(parameters.pop("binary_data_output", False), "binary_data_output")
    blobs = Blobs(content, end)
    inputs: dict[str, Tensor] = {}
    for item in _objects(document, "inputs"):
        tensor = read_tensor(item, blobs)
        if tensor.name in inputs:
            raise InvalidInput(f"inputs: {tensor.name!r} is given twice")
        inputs[tensor.name] = tensor
    blobs.require_end()
    return InferenceRequest(
        inputs,
        parameters,
        _read_outputs(document, binary),
        binary,
        read_member(document, "id", str, None, "the request"),
    )


def read_raw(content: bytes, name: str, datatype: str, row_shape: tuple[int, ...]) -> InferenceRequest:
    """Read a request that is only the bytes of one input's rows. Raises MalformedBody or EmptyBatch."""
    size = math.prod(row_shape) * DTYPES[datatype].itemsize
    if len(content) % size:
        raise MalformedBody(
            f"{name}: expected rows of {size} bytes, {datatype} of shape {list(row_shape)}, got {len(content)}"
        )
    shape = (len(content) // size, *row_shape)
    check_shape(list(shape), name)
    tensor = Tensor(name, datatype, shape, numbers_from_bytes(content, name, datatype, shape))
    return InferenceRequest({name: tensor}, {}, None, binary=True)


def write_answer(members: Mapping[str, Any], outputs: Sequence[tuple[str, Rows, bool]]) -> tuple[bytes, int | None]:
    """
    Return an answer, and the length of its JSON if binary tensors follow, else None.

    `outputs` holds the name of each, its float32 numbers, and True if they come as bytes. `members` join the JSON.
    """
    tensors, blobs = [], []
    for name, values, binary in outputs:
        tensor: dict[str, Any] = {"name": name, "shape": values.shape, "datatype": "FP32"}
        if binary:
            blob = np.ascontiguousarray(values, "<f4").tobytes()
            tensor["parameters"] = {"binary_data_size": len(blob)}
            blobs.append(blob)
        else:
            tensor["data"] = np.ascontiguousarray(values, np.float32).reshape(-1)
        tensors.append(tensor)
    header = write_object({**members, "outputs": tensors})
    return b"".join([header, *blobs]), len(header) if blobs else None


def _read_outputs(document: Mapping[str, Any], binary: bool) -> dict[str, bool] | None:
    outputs: dict[str, bool] = {}
    for item in _objects(document, "outputs"):
        name = read_member(item, "name", str, "", "an output")
        if name in outputs:
            raise InvalidInput(f"outputs: {name[:100]!r} is given twice")
        parameters = tensor_parameters(item, name)
        outputs[name] = _flag(parameters.get("binary_data", binary), f"{name}: binary_data")
    return outputs or None


def _objects(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a list that may be missing. Raises MalformedBody."""
    items = read_member(document, name, list, [], "the request")
    if len(items) > MAX_TENSORS:
        raise MalformedBody(f"{name}: expected at most {MAX_TENSORS}, got {len(items)}")
    for item in items:
        if not isinstance(item, dict):
            raise MalformedBody(f"{name}: expected objects, got {describe(item)}")
    return list(items)


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise MalformedBody(f"{name[:120]}: expected true or false, got {describe(value)}")
    return value
