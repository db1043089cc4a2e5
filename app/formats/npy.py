"""The `.npy` format: its bytes to a float32 array and back, without a copy where they already are one."""

from __future__ import annotations

import io
import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from app.errors import MalformedBody, NotNumbers

Array = npt.NDArray[np.float32]
Header = tuple[tuple[int, ...], bool, np.dtype[Any]]

LARGEST_HEADER = 4096
"""Bytes; an array of numbers needs about a hundred."""
LENGTH_BYTES = {1: 2, 2: 4}
"""Of the header's length, by the format's major version. Version 3 is for field names, which arrays of numbers lack."""


def read_npy(content: bytes, member: str) -> Array:
    """
    The array of a `.npy` file of numbers or booleans, in any byte order and either memory order, as float32.

    float32 that lie in order are not copied; they are read-only then. Nothing is ever unpickled.
    Raises MalformedBody or NotNumbers. Source: numpy.lib.format, versions 1 and 2
    """
    start = _data_start(content)
    try:
        shape, fortran, dtype = _read_header(content[:start])
    except Exception as error:  # numpy's parser raises what the bytes lead it to
        raise MalformedBody("expected a .npy file, but its header cannot be read") from error
    if dtype.kind not in "biuf":
        raise NotNumbers(f"{member}: expected an array of numbers, got dtype {dtype}")
    expected, got = math.prod(shape) * dtype.itemsize, len(content) - start
    if got != expected or min(shape, default=0) < 0:
        raise MalformedBody(f"expected {expected} bytes of {dtype} after the .npy header for shape {shape}, got {got}")
    rows = np.frombuffer(content, dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    if dtype == np.float32 and shape:
        return np.ascontiguousarray(rows)  # nothing can be too large, and `errstate` takes longer than this
    with np.errstate(over="ignore"):  # too large becomes infinite, which the engine refuses
        return np.ascontiguousarray(rows, np.float32) if shape else rows.astype(np.float32)


def write_npy(array: Array) -> bytes:
    """A `.npy` file of version 1."""
    array = np.ascontiguousarray(array)
    return _header(array.shape, array.dtype) + array.tobytes()


def _data_start(content: bytes) -> int:
    """Where the numbers begin."""
    size = LENGTH_BYTES.get(content[6]) if content[:6] == npy.MAGIC_PREFIX and len(content) > 12 else None
    if size is None:
        raise MalformedBody("expected a .npy file, but the body does not begin as one")
    length = int.from_bytes(content[8 : 8 + size], "little")
    if length > LARGEST_HEADER:
        raise MalformedBody(f"expected a .npy header of at most {LARGEST_HEADER} bytes, got {length}")
    return 8 + size + length


@lru_cache(maxsize=256)
def _read_header(header: bytes) -> Header:
    """Clients send the same header again and again, and parsing one takes as long as a small model's run."""
    stream = io.BytesIO(header)
    read = {1: npy.read_array_header_1_0, 2: npy.read_array_header_2_0}[npy.read_magic(stream)[0]]
    header_read: Header = read(stream, max_header_size=LARGEST_HEADER)
    return header_read


@lru_cache(maxsize=256)
def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
    return stream.getvalue()
