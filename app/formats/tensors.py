"""
The values of tensors of the Open Inference Protocol, version 2: from JSON, or from the bytes that follow it.

Source: kserve/open-inference-protocol, and Triton's extension "binary tensor data"
"""

from __future__ import annotations

import base64
import math
from typing import Any, NamedTuple, Protocol

import numpy as np

from app.arrays import Array, Rows
from app.errors import EmptyBatch, MalformedBody, NotNumbers, TooManyRows
from app.formats.json_errors import describe, to_numbers

DTYPES = {
    "BOOL": np.dtype(bool),
    **{f"UINT{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"INT{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
    "BF16": np.dtype("<u2"),
}
"""The layout of each datatype in bytes. BF16 is the upper half of a float32."""
BYTES = "BYTES"
LEVELS = "UINT8"
"""The datatype of 8-bit levels, for models of images from 0 to 1."""
MAX_DIMENSIONS = 8
MAX_ELEMENTS = 65_536
"""Elements of a BYTES tensor, each of which becomes a Python object."""


class Tensor(NamedTuple):
    """An input of a request."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Rows | list[bytes]
    """Numbers of this shape, or the elements of BYTES as a flat list."""

    def numbers(self) -> Array:
        """Return the numbers as float32. Raises NotNumbers for BYTES."""
        if isinstance(self.values, list):
            raise NotNumbers(f"{self.name}: expected a datatype of numbers, got {BYTES}")
        if self.values.dtype == np.float32:
            return self.values
        with np.errstate(over="ignore"):  # too large becomes infinite, which the engine refuses
            return self.values.astype(np.float32, copy=False)


class Source(Protocol):
    """The bytes of binary tensors, in the order of the inputs."""

    def take(self, size: int, name: str) -> bytes:
        """Return the next bytes."""


class Blobs:
    """The bytes after the JSON, read in the order of the inputs."""

    def __init__(self, content: bytes, start: int) -> None:
        self._content = content
        self._at = start

    def take(self, size: int, name: str) -> bytes:
        """Return a copy of the next bytes, which aligns the numbers in memory. Raises MalformedBody."""
        available = len(self._content) - self._at
        if size > available:
            raise MalformedBody(f"{name}: expected {size} bytes after the JSON, got {available}")
        self._at += size
        return self._content[self._at - size : self._at]

    def require_end(self) -> None:
        """Raise MalformedBody if bytes remain that belong to no input."""
        if available := len(self._content) - self._at:
            raise MalformedBody(f"expected nothing after the last input, got {available} bytes")


def numbers_from_bytes(blob: bytes, name: str, datatype: str, shape: tuple[int, ...]) -> Rows:
    """Return the numbers of a datatype from consecutive bytes. Raises MalformedBody."""
    dtype = DTYPES[datatype]
    expected = math.prod(shape) * dtype.itemsize
    if len(blob) != expected:
        raise MalformedBody(f"{name}: expected {expected} bytes of {datatype} for shape {list(shape)}, got {len(blob)}")
    if datatype == "BOOL" and (highest := np.frombuffer(blob, np.uint8).max()) > 1:
        raise MalformedBody(f"{name}: expected bytes of 0 or 1 for datatype BOOL, got {highest}")
    values = np.frombuffer(blob, dtype).reshape(shape)
    return (values.astype("<u4") << 16).view("<f4") if datatype == "BF16" else values


def numbers_from_json(data: Any, name: str, datatype: str, shape: tuple[int, ...]) -> Rows:
    """
    Return numbers from a list that is flat or nested as the shape.

    For integer datatypes they must be whole and in range. BOOL may be true and false, or 1 and 0.
    """
    if not isinstance(data, np.ndarray):
        if not isinstance(data, list):
            raise NotNumbers(f"{name}: expected data to be a list, got {describe(data)}")
        if not data:
            raise EmptyBatch(f"{name}: expected data for shape {list(shape)}, got an empty list")
        data = _booleans(data) if datatype == "BOOL" else to_numbers(data, name)
    values: Rows = data
    size = math.prod(shape)
    if values.shape not in (shape, (size,)):
        expected = f"data of shape {list(shape)}, or a flat list of {size} numbers"
        raise MalformedBody(f"{name}: expected {expected}, got shape {list(values.shape)}")
    dtype = DTYPES[datatype]
    if dtype.kind in "biu" and datatype != "BF16" and not _are_whole(values, dtype):
        raise NotNumbers(f"{name}: expected numbers that {datatype} can hold, got others")
    return values.reshape(shape)


def _booleans(data: list[Any]) -> Rows:
    """Return an array of booleans or numbers, or one of NaN, which fails the check for BOOL, for anything else."""
    try:
        array = np.array(data)
    except ValueError:
        array = np.array([np.nan])
    return array if array.dtype.kind in "biuf" else np.full(array.shape, np.nan)


def _are_whole(values: Rows, dtype: np.dtype[Any]) -> bool:
    """Return whether each number is whole and in the range of a datatype, to the precision of float64."""
    if values.dtype.kind == "b":
        return dtype.kind == "b"
    low, high = (0, 1) if dtype.kind == "b" else (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))
    return bool((values == np.floor(values)).all() and values.min().item() >= low and values.max().item() <= high)


def elements_from_json(data: Any, name: str, datatype: str, shape: tuple[int, ...]) -> list[bytes]:
    """Return the elements of BYTES from base64 strings, in a flat list or nested as the shape."""
    expected = _count_elements(name, shape)
    flat = data if isinstance(data, list) else []
    for _ in shape[1:]:
        if len(flat) <= expected and all(isinstance(inner, list) for inner in flat):
            flat = [value for inner in flat for value in inner]
    if len(flat) != expected or not all(isinstance(text, str) for text in flat):
        raise MalformedBody(f"{name}: expected a list of {expected} strings for {datatype} of shape {list(shape)}")
    try:
        return [base64.b64decode(text, validate=True) for text in flat]
    except ValueError as error:
        raise MalformedBody(f"{name}: expected {datatype} in JSON to be strings of base64, got others") from error


def elements_from_bytes(blob: bytes, name: str, shape: tuple[int, ...]) -> list[bytes]:
    """Return the elements of BYTES. Each follows its length, which is four bytes, the lowest first."""
    elements: list[bytes] = []
    at, expected = 0, _count_elements(name, shape)
    while at < len(blob) and len(elements) < expected:
        start = at + 4
        at = start + int.from_bytes(blob[at:start], "little")
        if start > len(blob) or at > len(blob):
            raise MalformedBody(f"{name}: element {len(elements)} of {BYTES} is longer than the bytes sent")
        elements.append(blob[start:at])
    if at != len(blob) or len(elements) != expected:
        raise MalformedBody(
            f"{name}: expected {expected} elements of {BYTES} for shape {list(shape)}, each with its length before it, "
            f"got {len(elements)} and {len(blob) - at} bytes more"
        )
    return elements


def output_datatype(values: Rows) -> str:
    """Return the datatype of an output, whose numbers are float32 or booleans."""
    return "BOOL" if values.dtype == bool else "FP32"


def output_bytes(values: Rows) -> bytes:
    """Return an output as consecutive bytes, the lowest of each number first."""
    return np.ascontiguousarray(values, DTYPES[output_datatype(values)]).tobytes()


def _count_elements(name: str, shape: tuple[int, ...]) -> int:
    """Return the number of elements of a shape. Raises TooManyRows."""
    count = math.prod(shape)
    if count > MAX_ELEMENTS:
        raise TooManyRows(f"{name}: expected at most {MAX_ELEMENTS} elements of {BYTES}, got {count}")
    return count
