"""
The usual request of the Open Inference Protocol in JSON: one input of flat floating point numbers, and nothing else.

simdjson reads it straight into an array, as `app.formats.json_body` reads the bodies of /v1. All others are read by
`app.formats.open_inference`, which says what is wrong.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from app.errors import MAX_REPEATED_CHARACTERS
from app.formats.json_body import SIMDJSON_ERRORS, SMALL_BODY_BYTES, parse, to_float32
from app.formats.tensors import MAX_DIMENSIONS, Tensor

TYPES = frozenset({"FP32", "FP64"})
INPUT_MEMBERS = 4
LISTS = 3
"""The inputs, the shape, and the numbers."""

UsualRequest = tuple[Tensor, str | None]
"""The input, as float32, and the id of the request."""


def read_usual(content: bytes) -> UsualRequest | None:
    """Return the parts of a usual request, or None if it is another one, or wrong."""
    if len(content) > SMALL_BODY_BYTES or content.count(b"[") != LISTS:
        return None
    try:
        return _read(parse(content))
    except SIMDJSON_ERRORS:
        return None


def _read(document: Any) -> UsualRequest | None:
    inputs, request_id = document["inputs"], document.get("id")
    if len(inputs) != 1 or len(document) != (1 if request_id is None else 2):
        return None
    tensor = inputs[0]
    name, datatype, shape, data = tensor["name"], tensor["datatype"], tensor["shape"].as_list(), tensor["data"]
    if len(tensor) != INPUT_MEMBERS or datatype not in TYPES or not 0 < len(shape) <= MAX_DIMENSIONS:
        return None
    if not (isinstance(name, str) and 0 < len(name) <= MAX_REPEATED_CHARACTERS):
        return None
    if not (request_id is None or isinstance(request_id, str)) or {*map(type, shape)} != {int}:
        return None
    if min(shape) <= 0 or math.prod(shape) != len(data):
        return None
    numbers = to_float32(np.frombuffer(data.as_buffer(of_type="d")))  # raises for anything but numbers
    return Tensor(name, datatype, tuple(shape), numbers.reshape(shape)), request_id
