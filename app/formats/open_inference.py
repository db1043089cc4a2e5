"""
Read requests of the Open Inference Protocol, version 2: JSON, which binary tensors may follow.

Members that the protocol does not name are ignored, because clients send some.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from app.arrays import Rows
from app.errors import MAX_REPEATED_CHARACTERS, EmptyBatch, InvalidInput, MalformedBody, Refused
from app.formats.json_body import load, read_document
from app.formats.json_errors import describe
from app.formats.shared_memory import SHARED_MEMORY, Form, ReadShared, read_span
from app.formats.tensors import (
    BYTES,
    DTYPES,
    MAX_DIMENSIONS,
    Blobs,
    Source,
    Tensor,
    elements_from_bytes,
    elements_from_json,
    numbers_from_bytes,
    numbers_from_json,
)
from app.formats.usual_inference import read_usual

MemberType = type[str] | type[list[Any]] | type[dict[str, Any]]

MAX_TENSORS = 64
"""Inputs, or outputs, of a request. No model here has more than two."""
MAX_DIMENSION = 2**31 - 1
UNSUPPORTED_PARAMETERS = ("classification",)
"""Parameters of a tensor that request something other than its numbers."""
EXAMPLE = '{"inputs": [{"name": "samples", "shape": [1, 784], "datatype": "FP32", "data": [0, 0.5]}]}'


class InferenceRequest(NamedTuple):
    """A request for one run of a model."""

    inputs: dict[str, Tensor]
    parameters: dict[str, Any]
    outputs: dict[str, Form] | None
    """The wanted outputs by name. None: all."""
    binary: bool = False
    """True if outputs come as bytes by default."""
    id: str | None = None


def read_request(content: bytes, header_length: int | None, read_shared: ReadShared | None = None) -> InferenceRequest:
    """
    Read a request: only JSON, or `header_length` bytes of JSON and then the binary tensors that it describes.

    `read_shared` returns tensors in shared memory, if that is offered. Raises MalformedBody, NotFinite, NotNumbers,
    RaggedRows, EmptyBatch, InvalidInput or Refused.
    """
    end = len(content) if header_length is None else header_length
    if end > len(content):
        raise MalformedBody(f"Inference-Header-Content-Length: expected at most {len(content)}, got {end}")
    usual = read_usual(content) if header_length is None else None
    if usual is not None:
        tensor, request_id = usual
        return InferenceRequest({tensor.name: tensor}, {}, None, id=request_id)
    document = read_document(content, "data") if header_length is None else load(content[:end], EXAMPLE)
    if not isinstance(document, dict):
        raise MalformedBody(f"expected an object such as {EXAMPLE}, got {describe(document)}")
    blobs = Blobs(content, end)
    request = read_described(document, blobs, read_shared, binary=False)
    if header_length is not None:
        blobs.require_end()
    return request


def read_described(
    document: Mapping[str, Any], blobs: Source, read_shared: ReadShared | None, *, binary: bool
) -> InferenceRequest:
    """
    Read a request from its JSON object and the bytes of its binary tensors, which are taken in the order of the inputs.

    Outputs come as bytes if `binary` is set, unless the request says otherwise. Raises the errors of `read_request`.
    """
    parameters = dict(_read_member(document, "parameters", dict, {}, "the request"))
    binary = _flag(parameters.pop("binary_data_output", binary), "binary_data_output")
    inputs: dict[str, Tensor] = {}
    for item in _objects(document, "inputs"):
        tensor = _read_tensor(item, blobs, read_shared)
        if tensor.name in inputs:
            raise InvalidInput(f"inputs: {tensor.name!r} is given twice")
        inputs[tensor.name] = tensor
    return InferenceRequest(
        inputs,
        parameters,
        _read_outputs(document, binary, shared=read_shared is not None),
        binary,
        _read_member(document, "id", str, None, "the request"),
    )


def read_raw(content: bytes, name: str, datatype: str, row_shape: tuple[int, ...]) -> InferenceRequest:
    """Read a request that is only the bytes of one input's rows. Raises MalformedBody or EmptyBatch."""
    size = math.prod(row_shape) * DTYPES[datatype].itemsize
    if len(content) % size:
        raise MalformedBody(
            f"{name}: expected rows of {size} bytes, {datatype} of shape {list(row_shape)}, got {len(content)}"
        )
    shape = (len(content) // size, *row_shape)
    _check_shape(list(shape), name)
    tensor = Tensor(name, datatype, shape, numbers_from_bytes(content, name, datatype, shape))
    return InferenceRequest({name: tensor}, {}, None, binary=True)


def _read_tensor(document: Mapping[str, Any], blobs: Source, read_shared: ReadShared | None) -> Tensor:
    """Read an input from its JSON object and, if it is binary, from `blobs`. Raises the errors of `read_request`."""
    name = _read_member(document, "name", str, None, "an input")
    if not name:
        raise MalformedBody("inputs: expected a name for each")
    name = name[:MAX_REPEATED_CHARACTERS]
    datatype = _read_member(document, "datatype", str, "", name)
    if datatype not in DTYPES and datatype != BYTES:
        raise InvalidInput(f"{name}: expected a datatype of {', '.join([*DTYPES, BYTES])}, got {datatype[:20]!r}")
    parameters = _tensor_parameters(document, name)
    size, data = parameters.get("binary_data_size"), document.get("data")
    span = None if parameters.keys().isdisjoint(SHARED_MEMORY) else read_span(parameters, name, read_shared is not None)
    if (size is not None) + (data is not None) + (span is not None) != 1:
        raise MalformedBody(f"{name}: expected either data or the parameter binary_data_size")
    if isinstance(data, str):  # one element, as TorchServe takes it
        data = [data]
    shape = _check_shape(document.get("shape"), name, data)
    if data is not None:
        parse = elements_from_json if datatype == BYTES else numbers_from_json
        return Tensor(name, datatype, shape, parse(data, name, datatype, shape))
    if span is not None and read_shared is not None:
        blob = read_shared(span)
    elif type(size) is not int or size < 0:
        raise MalformedBody(f"{name}: expected binary_data_size to be a whole number from 0, got {size!r:.60}")
    else:
        blob = blobs.take(size, name)
    if datatype == BYTES:
        return Tensor(name, datatype, shape, elements_from_bytes(blob, name, shape))
    return Tensor(name, datatype, shape, numbers_from_bytes(blob, name, datatype, shape))


def _check_shape(shape: object, name: str, data: object = None) -> tuple[int, ...]:
    """
    Return the shape as a tuple. Raises MalformedBody unless it holds whole numbers, EmptyBatch if one is 0.

    It may be a number in place of a list of one. The first number may be -1: as many rows as `data` has.
    """
    lengths = [shape] if type(shape) is int else shape
    if not isinstance(lengths, list) or not 0 < len(lengths) <= MAX_DIMENSIONS:
        got = f"{len(lengths)} of them" if isinstance(lengths, list) else describe(lengths)
        raise MalformedBody(f"{name}: expected a shape of 1 to {MAX_DIMENSIONS} numbers, got {got}")
    if lengths[0] == -1 and isinstance(data, list | np.ndarray):
        lengths = [_count_rows(data, lengths[1:]), *lengths[1:]]
    if not all(type(length) is int and 0 <= length <= MAX_DIMENSION for length in lengths):
        raise MalformedBody(f"{name}: expected a shape of whole numbers from 0, got {shape!r:.60}")
    if 0 in lengths:
        raise EmptyBatch(f"{name}: expected at least one row of at least one number, got shape {lengths}")
    return tuple(lengths)


def _count_rows(data: list[Any] | Rows, row_shape: list[Any]) -> int:
    """Return the number of rows of data that is nested like its rows, or flat; -1 if it is neither."""
    if len(data) and isinstance(data[0], list | np.ndarray):
        return len(data)
    sizes = [length for length in row_shape if type(length) is int and length > 0]
    rows, rest = divmod(len(data), math.prod(sizes))
    return rows if not rest and len(sizes) == len(row_shape) else -1


def _read_outputs(document: Mapping[str, Any], binary: bool, *, shared: bool) -> dict[str, Form] | None:
    outputs: dict[str, Form] = {}
    for item in _objects(document, "outputs"):
        name = _read_member(item, "name", str, "", "an output")
        if name in outputs:
            raise InvalidInput(f"outputs: {name[:MAX_REPEATED_CHARACTERS]!r} is given twice")
        parameters = _tensor_parameters(item, name)
        if parameters.keys().isdisjoint(SHARED_MEMORY):
            outputs[name] = _flag(parameters.get("binary_data", binary), f"{name}: binary_data")
        else:
            outputs[name] = read_span(parameters, name, shared)
    return outputs or None


def _objects(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a list that may be missing. Raises MalformedBody."""
    items = _read_member(document, name, list, [], "the request")
    if len(items) > MAX_TENSORS:
        raise MalformedBody(f"{name}: expected at most {MAX_TENSORS}, got {len(items)}")
    for item in items:
        if not isinstance(item, dict):
            raise MalformedBody(f"{name}: expected objects, got {describe(item)}")
    return list(items)


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise MalformedBody(f"{name[:MAX_REPEATED_CHARACTERS]}: expected true or false, got {describe(value)}")
    return value


def _tensor_parameters(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the parameters of an input or an output. Raises Refused if one requests something other than a tensor."""
    parameters: Mapping[str, Any] = _read_member(document, "parameters", dict, {}, name)
    for parameter in UNSUPPORTED_PARAMETERS:
        if parameter in parameters:
            raise Refused(f"{name[:MAX_REPEATED_CHARACTERS]}: expected tensors in the body; {parameter} is not offered")
    return parameters


def _read_member(document: Mapping[str, Any], name: str, expected_type: MemberType, default: Any, owner: str) -> Any:
    """Return a member of a JSON object, or the default if it is missing or null. Raises MalformedBody."""
    value = document.get(name)
    if value is None:
        return default
    if not isinstance(value, expected_type):
        expected = "a string" if expected_type is str else "a list" if expected_type is list else "an object"
        raise MalformedBody(
            f"{owner[:MAX_REPEATED_CHARACTERS]}: expected {name} to be {expected}, got {describe(value)}"
        )
    return value
