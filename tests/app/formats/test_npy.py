"""`.npy` files are read and written as numpy does, and refused if they are invalid."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import ServiceError
from app.formats.npy import read_npy, write_npy
from tests.helpers.npy import saved

NUMBERS = np.array([[0, 1, 2], [3, 4, 5]])


def header(text: str) -> bytes:
    """Return a file of version 1 with this header and eight bytes of numbers."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(8)


@pytest.mark.parametrize(
    "dtype", ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8", "i1", "u1", "<i2", ">i4", "<i8", ">u8", "?"]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_any_type_and_order_are_read(dtype: str, order: Any) -> None:
    array = np.asarray(NUMBERS.astype(dtype), order=order)
    read = read_npy(saved(array), "samples")
    assert read.dtype == np.float32
    assert read.flags.c_contiguous
    assert read.tolist() == array.astype(float).tolist()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_all_versions_of_the_format_are_read(version: tuple[int, int], dtype: str, order: Any) -> None:
    array = np.asarray(NUMBERS.astype(dtype), order=order)
    assert read_npy(saved(array, version), "samples").tolist() == NUMBERS.tolist()


def test_a_header_of_python_2_is_read() -> None:
    file = header("{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 2L), }")
    assert read_npy(file, "samples").tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_without_axes_keeps_its_shape(dtype: type) -> None:
    assert read_npy(saved(np.array(0.5, dtype)), "samples").shape == ()


def test_float32_in_order_is_not_copied() -> None:
    content = saved(NUMBERS.astype(np.float32))
    read = read_npy(content, "samples")
    start = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    assert start < read.__array_interface__["data"][0] < start + len(content)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 2, 2, 2), (0, 4)])
def test_files_are_written_as_numpy_writes_them(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    assert write_npy(array) == saved(array)
    assert write_npy(array.T) == saved(np.ascontiguousarray(array.T))


SHAPE = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"

WRONG = {
    "empty": (b"", "malformed-body", "does not begin like one"),
    "text": (b"0.5, 0.25, 1.0, 0.0", "malformed-body", "does not begin like one"),
    "half a magic": (b"\x93NUM", "malformed-body", "does not begin like one"),
    "a zip of arrays": (b"PK\x03\x04" + bytes(40), "malformed-body", "does not begin like one"),
    "version 9": (b"\x93NUMPY\x09\x00" + bytes(40), "malformed-body", "of version 1.0, 2.0 or 3.0, got 9.0"),
    "version 1.1": (b"\x93NUMPY\x01\x01" + bytes(40), "malformed-body", "of version 1.0, 2.0 or 3.0, got 1.1"),
    "names in UTF-8": (saved(np.zeros(2, [("ä漢", "<f4")]), (3, 0)), "not-numbers", "expected an array of numbers"),
    "header is cut": (saved(NUMBERS)[:40], "malformed-body", "header cannot be read"),
    "numbers are cut": (saved(np.ones((2, 3)))[:-1], "malformed-body", "expected 48 bytes of float64"),
    "one byte more": (saved(np.ones((2, 3))) + b"x", "malformed-body", "got 49"),
    "a long header": (
        b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + bytes(40),
        "malformed-body",
        "at most 10000",
    ),
    "code": (header("__import__('os').system('true')"), "malformed-body", "header cannot be read"),
    "negative": (header(SHAPE % "(-1, -2)"), "malformed-body", "shape (-1, -2)"),
    "True as a length": (header(SHAPE % "(True, 784)"), "malformed-body", "header cannot be read"),
    "a length of 4000 digits": (header(SHAPE % f"({'9' * 9000},)"), "malformed-body", "header cannot be read"),
    "a thousand axes": (header(SHAPE % f"({'1,' * 1000})"), "malformed-body", "header cannot be read"),
    "a long dtype": (
        header(SHAPE.replace("'<f4'", f"[('{'a' * 3000}', '<f4')]") % "(2,)"),
        "not-numbers",
        "expected an array of numbers",
    ),
    "more than memory": (header(SHAPE % "(99999999999, 99999999999)"), "malformed-body", "got 8"),
    "objects": (saved(np.array([{}, []], dtype=object)), "not-numbers", "dtype object"),
    "text inside": (saved(np.array(["a", "b"])), "not-numbers", "dtype <U1"),
    "complex": (saved(np.ones(2, complex)), "not-numbers", "dtype complex128"),
    "records": (saved(np.zeros(2, [("a", "<f4")])), "not-numbers", "samples: expected an array of numbers"),
    "dates": (saved(np.zeros(2, "datetime64[s]")), "not-numbers", "dtype datetime64"),
}


@pytest.mark.parametrize(("content", "code", "detail"), WRONG.values(), ids=WRONG)
def test_invalid_files_are_refused_with_the_reason(content: bytes, code: str, detail: str) -> None:
    with pytest.raises(ServiceError) as caught:
        read_npy(content, "samples")
    assert caught.value.code == code
    assert detail in caught.value.detail
    assert len(caught.value.detail) < 200


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 160), st.integers(0, 255))
def test_any_bytes_give_an_array_or_a_known_error(noise: bytes, at: int, byte: int) -> None:
    changed = bytearray(saved(np.ones((2, 4), np.float32)))
    changed[min(at, len(changed) - 1)] = byte
    for content in (bytes(changed), b"\x93NUMPY\x01\x00" + noise, noise):
        with suppress(ServiceError):
            assert read_npy(content, "samples").dtype == np.float32
