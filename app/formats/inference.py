"""
Inference requests and answers of the Open Inference Protocol, version 2: JSON, and maybe bytes after it.

What a request holds beside what the protocol names is not looked at: clients send more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.errors import InvalidInput, MalformedBody
from app.formats.json_arrays import describe, load, read_document, write_object
from app.formats.tensors import (
    DTYPES,
    Blobs,
    Tensor,
    Values,
    check_shape,
    member,
    numbers_from_bytes,
    read_tensor,
    tensor_parameters,
)

MAX_TENSORS = 64
"""Inputs, or outputs, of a request: no model here has more than two."""
EXAMPLE = '{"inputs": [{"name": "samples", "shape": [1, 784], "datatype": "FP32", "data": [0, 0.5]}]}'


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """What a client asks of a model."""

    inputs: dict[str, Tensor]
    parameters: dict[str, Any]
    outputs: dict[str, bool] | None
    """The outputs that are wanted, and whether as bytes; None: all."""
    binary: bool = False
    """Whether outputs come as bytes where nothing else is said."""
    id: str | None = None


def read_request(content: bytes, header_length: int | None) -> InferenceRequest:
    """
    A request: JSON alone, or `header_length` bytes of JSON and then the tensors that it announces.

    Raises MalformedBody, NotFinite, NotNumbers, RaggedRows, EmptyBatch, InvalidInput or Refused.
    """
    end = len(content) if header_length is None else header_length
    if end > len(content):
        raise MalformedBody(f"Inference-Header-Content-Length: expected at most {len(content)}, got {end}")
    document = read_document(content, "data") if header_length is None else load(content[:end], EXAMPLE)
    if not isinstance(document, dict):
        raise MalformedBody(f"expected an object such as {EXAMPLE}, got {describe(document)}")
    parameters = dict(member(document, "parameters", dict, {}, "the request"))
    binary = _flag(parameters.pop("binary_data_output", False), "binary_data_output")
    blobs = Blobs(content, end)
    inputs: dict[str, Tensor] = {}
    for described in _objects(document, "inputs"):
        tensor = read_tensor(described, blobs)
        if tensor.name in inputs:
            raise InvalidInput(f"inputs: {tensor.name!r} stands there twice")
        inputs[tensor.name] = tensor
    blobs.require_end()
    return InferenceRequest(
        inputs,
        parameters,
        _read_outputs(document, binary),
        binary,
        member(document, "id", str, None, "the request"),
    )


def read_raw(content: bytes, name: str, datatype: str, row: tuple[int, ...]) -> InferenceRequest:
    """A request that is nothing but the bytes of rows of one input. Raises MalformedBody or EmptyBatch."""
    size = math.prod(row) * DTYPES[datatype].itemsize
    if len(content) % size:
        raise MalformedBody(
            f"{name}: expected rows of {size} bytes, {datatype} of shape {list(row)}, got {len(content)}"
        )
    shape = (len(content) // size, *row)
    check_shape(list(shape), name)
    tensor = Tensor(name, datatype, shape, numbers_from_bytes(content, name, datatype, shape))
    return InferenceRequest({name: tensor}, {}, None, binary=True)


def write_answer(head: Mapping[str, Any], outputs: Sequence[tuple[str, Values, bool]]) -> tuple[bytes, int | None]:
    """
    An answer, and the length of its JSON where bytes follow that.

    `outputs` says of each its name, its numbers (float32) and whether they come as bytes.
    """
    described, blobs = [], []
    for name, values, binary in outputs:
        tensor: dict[str, Any] = {"name": name, "shape": values.shape, "datatype": "FP32"}
        if binary:
            blob = np.ascontiguousarray(values, "<f4").tobytes()
            tensor["parameters"] = {"binary_data_size": len(blob)}
            blobs.append(blob)
        else:
            tensor["data"] = np.ascontiguousarray(values, np.float32).reshape(-1)
        described.append(tensor)
    header = write_object({**head, "outputs": described})
    return b"".join([header, *blobs]), len(header) if blobs else None


def _read_outputs(document: Mapping[str, Any], binary: bool) -> dict[str, bool] | None:
    outputs: dict[str, bool] = {}
    for described in _objects(document, "outputs"):
        name = member(described, "name", str, "", "an output")
        if name in outputs:
            raise InvalidInput(f"outputs: {name[:100]!r} stands there twice")
        parameters = tensor_parameters(described, name)
        outputs[name] = _flag(parameters.get("binary_data", binary), f"{name}: binary_data")
    return outputs or None


def _objects(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list that may be missing."""
    found = member(document, name, list, [], "the request")
    if len(found) > MAX_TENSORS:
        raise MalformedBody(f"{name}: expected at most {MAX_TENSORS}, got {len(found)}")
    for item in found:
        if not isinstance(item, dict):
            raise MalformedBody(f"{name}: expected objects, got {describe(item)}")
    return list(found)


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise MalformedBody(f"{name[:120]}: expected true or false, got {describe(value)}")
    return value
