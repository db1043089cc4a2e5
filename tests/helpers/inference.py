"""Requests of the Open Inference Protocol, as documents and as bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.errors import ServiceError
from app.formats.open_inference import InferenceRequest, read_request
from app.formats.tensors import Tensor

NUMPY_TYPES: dict[str, str] = {
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    "BOOL": "?",
}
"""numpy's dtype for each datatype in the protocol's table that holds numbers."""


def json_input(**members: Any) -> dict[str, Any]:
    """Return an input, by default a row of two numbers, with these members. Members that are None are left out."""
    whole = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2], **members}
    return {name: value for name, value in whole.items() if value is not None}


def binary_input(size: Any, **members: Any) -> dict[str, Any]:
    """Return an input whose data follow the JSON."""
    return json_input(data=None, parameters={"binary_data_size": size}, **members)


def read(document: object, blobs: bytes | None = None) -> InferenceRequest:
    """Read the request of a document, which bytes may follow."""
    header = json.dumps(document).encode()
    return read_request(header, None) if blobs is None else read_request(header + blobs, len(header))


def only_input(request: InferenceRequest) -> Tensor:
    """Return the one input of a request."""
    (tensor,) = request.inputs.values()
    return tensor


def assert_refused(document: object, blobs: bytes | None, error: type[ServiceError], message: str) -> None:
    """Check that a document, which bytes may follow, is refused with exactly this error and a part of its message."""
    with pytest.raises(error) as caught:
        read(document, blobs)
    assert type(caught.value) is error
    assert message in caught.value.detail
