"""Read and write `.npy` files, without a copy if the file holds float32 in order."""

from __future__ import annotations

import io
import math
import re
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib import format as npy

from app.arrays import Array
from app.errors import MalformedBody, NotNumbers
from app.formats.levels import numbers_from_levels

Header = tuple[tuple[int, ...], bool, np.dtype[Any]]
"""The shape, whether the array is in Fortran order, the dtype."""

MAX_HEADER_BYTES = 10_000
"""numpy's own limit. The header of an array of numbers needs about a hundred."""
MAX_DIMENSIONS, MAX_DIMENSION = 32, 2**40
LENGTH_FIELD_BYTES = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
"""Bytes that hold the header's length, by the format's version. Version 3 is version 2 with a header in UTF-8."""

PYTHON_2_LENGTH = re.compile(rb"(?<=[(, ])(\d{1,15})L(?=[,)])")
"""A number of the shape as Python 2 wrote it. numpy reads it, too, and warns."""


def read_npy(content: bytes, member: str, level_unit: float | None = None) -> Array:
    """
    Return the array of a `.npy` file as float32. The file may hold numbers or booleans in any byte and memory order.

    float32 in C order is not copied; the array is read-only then. Nothing is ever unpickled. With a `level_unit`, uint8
    numbers are levels, each of which stands for so much.
    Raises MalformedBody or NotNumbers, and InvalidInput for levels. Source: numpy.lib.format, versions 1.0, 2.0 and 3.0
    """
    start = _data_start(content)
    try:
        shape, fortran, dtype = _read_header(content[:start])
    except Exception as error:  # numpy's parser raises many classes
        raise MalformedBody("expected a .npy file, but its header cannot be read") from error
    if dtype.kind not in "biuf":
        raise NotNumbers(f"{member}: expected an array of numbers, got dtype {dtype!s:.60}")
    expected, got = math.prod(shape) * dtype.itemsize, len(content) - start
    if got != expected or min(shape, default=0) < 0:
        raise MalformedBody(f"expected {expected} bytes of {dtype} after the .npy header for shape {shape}, got {got}")
    rows = np.frombuffer(content, dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    if dtype == np.float32 and shape:
        return np.ascontiguousarray(rows)  # nothing can be too large, and `errstate` takes longer than the conversion
    if dtype == np.uint8 and level_unit is not None:
        return np.ascontiguousarray(numbers_from_levels(rows, level_unit, member))
    with np.errstate(over="ignore"):  # too large becomes infinite, which the engine refuses
        return np.ascontiguousarray(rows, np.float32) if shape else rows.astype(np.float32)


def write_npy(array: Array) -> bytes:
    """Return a `.npy` file of version 1."""
    array = np.ascontiguousarray(array)
    return _header(array.shape, array.dtype) + array.tobytes()


def _data_start(content: bytes) -> int:
    """Return the offset of the first number."""
    if content[:6] != npy.MAGIC_PREFIX or len(content) <= 12:
        raise MalformedBody("expected a .npy file, but the body does not begin like one")
    size = LENGTH_FIELD_BYTES.get(content[6:8])
    if size is None:
        raise MalformedBody(f"expected a .npy file of version 1.0, 2.0 or 3.0, got {content[6]}.{content[7]}")
    length = int.from_bytes(content[8 : 8 + size], "little")
    if length > MAX_HEADER_BYTES:
        raise MalformedBody(f"expected a .npy header of at most {MAX_HEADER_BYTES} bytes, got {length}")
    return 8 + size + length


@lru_cache(maxsize=256)
def _read_header(header: bytes) -> Header:
    """Parse a header. Clients repeat their headers, and parsing one takes as long as a small model's run."""
    stream = io.BytesIO(PYTHON_2_LENGTH.sub(rb"\1 ", header[8:]))
    # numpy has no public reader of version 3, whose headers differ only where fields have names
    read = npy.read_array_header_1_0 if header[6] == 1 else npy.read_array_header_2_0
    header_read: Header = read(stream, max_header_size=MAX_HEADER_BYTES)
    if len(header_read[0]) > MAX_DIMENSIONS or not all(map(_is_length, header_read[0])):
        raise ValueError("the shape is not a tuple of a few whole numbers")
    return header_read


def _is_length(value: object) -> bool:
    """Return True for a whole number of a usual size. numpy takes True for 1."""
    return type(value) is int and abs(value) <= MAX_DIMENSION


@lru_cache(maxsize=256)
def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
    return stream.getvalue()
