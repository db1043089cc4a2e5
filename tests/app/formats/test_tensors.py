"""Tensors of every datatype are read from JSON and from bytes; invalid tensors are refused with the reason."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.arrays import Rows
from app.errors import (
    EmptyBatch,
    InvalidInput,
    MalformedBody,
    NotNumbers,
    RaggedRows,
    Refused,
    ServiceError,
    TooManyRows,
)
from app.formats import json_body
from app.formats.tensors import output_bytes, output_datatype
from tests.helpers.inference import NUMPY_TYPES, assert_refused, binary_input, json_input, only_input, read


@pytest.mark.parametrize("datatype", NUMPY_TYPES)
@given(data=st.data())
def test_every_datatype_is_read_from_bytes_and_json(datatype: str, data: st.DataObject) -> None:
    dtype = np.dtype(NUMPY_TYPES[datatype])
    elements = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
    array = data.draw(arrays.arrays(dtype, arrays.array_shapes(max_dims=4, max_side=4), elements=elements or None))
    shape = list(array.shape)
    with np.errstate(over="ignore"):
        expected = array.astype(np.float32)
    size = array.nbytes
    tensor = only_input(read({"inputs": [binary_input(size, shape=shape, datatype=datatype)]}, array.tobytes()))
    np.testing.assert_array_equal(tensor.numbers(), expected)
    assert tensor.numbers().flags.aligned
    for rows in (array.tolist(), array.ravel().tolist()):
        tensor = only_input(read({"inputs": [json_input(shape=shape, datatype=datatype, data=rows)]}))
        assert tensor.shape == array.shape
        np.testing.assert_allclose(tensor.numbers(), expected, rtol=1e-6)


def test_bf16_is_the_upper_half_of_a_float32() -> None:
    request = read({"inputs": [binary_input(4, datatype="BF16")]}, bytes.fromhex("803f 20c0".replace(" ", "")))
    assert only_input(request).numbers().tolist() == [[1.0, -2.5]]


def test_the_largest_64_bit_numbers_fit_their_datatype() -> None:
    for datatype, numbers in (("UINT64", [0, 2**64 - 1]), ("INT64", [-(2**63), 2**63 - 1])):
        assert (
            only_input(read({"inputs": [json_input(datatype=datatype, data=numbers)]})).numbers().tolist()[0][1] > 9e18
        )
        with pytest.raises(ServiceError):
            read({"inputs": [json_input(datatype=datatype, data=[0, 2**65])]})


def test_booleans_may_be_numbers_in_json() -> None:
    for data in ([True, False], [1, 0], [[True, False]]):
        request = read({"inputs": [json_input(datatype="BOOL", data=data)]})
        assert only_input(request).numbers().tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("shape", "data", "expected"),
    [
        ([-1, 2], [1, 2, 3, 4], [[1, 2], [3, 4]]),
        ([-1, 2], [[1, 2]], [[1, 2]]),
        ([-1], [1, 2, 3], [1, 2, 3]),
        (-1, [1, 2], [1, 2]),
        (2, [1, 2], [1, 2]),
        ([-1, 1, 2], [1, 2], [[[1, 2]]]),
    ],
)
@pytest.mark.parametrize("simdjson", [True, False])
def test_the_number_of_rows_may_be_left_open(
    shape: object, data: object, expected: object, simdjson: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_body, "HAS_SIMDJSON", simdjson and json_body.HAS_SIMDJSON)
    assert only_input(read({"inputs": [json_input(shape=shape, data=data)]})).numbers().tolist() == expected


@pytest.mark.parametrize("shape", [[-1], -1, [1], 1])
def test_one_element_of_bytes_may_be_a_string(shape: object) -> None:
    request = read({"inputs": [json_input(shape=shape, datatype="BYTES", data="b25l")]})
    assert only_input(request).values == [b"one"]


def test_elements_of_bytes_follow_their_length_or_are_base64() -> None:
    elements = [b"one", b"", b"\xff\x00"]
    blob = b"\x03\0\0\0one" + b"\0\0\0\0" + b"\x02\0\0\0\xff\0"
    request = read({"inputs": [binary_input(len(blob), shape=[3], datatype="BYTES")]}, blob)
    assert only_input(request).values == elements
    texts = [base64.b64encode(element).decode() for element in elements]
    for data in (texts, [[text] for text in texts]):
        request = read({"inputs": [json_input(shape=[3, 1], datatype="BYTES", data=data)]})
        assert only_input(request).values == elements


WRONG: list[tuple[object, bytes | None, type[ServiceError], str]] = [
    ({"inputs": [json_input(name=None)]}, None, MalformedBody, "expected a name for each"),
    ({"inputs": [json_input(name=3)]}, None, MalformedBody, "expected name to be a string, got a number"),
    ({"inputs": [json_input(datatype="FP8")]}, None, InvalidInput, "got 'FP8'"),
    ({"inputs": [json_input(datatype=None)]}, None, InvalidInput, "expected a datatype of BOOL, UINT8"),
    ({"inputs": [json_input(shape=None)]}, None, MalformedBody, "expected a shape of 1 to 8 numbers, got null"),
    ({"inputs": [json_input(shape=[])]}, None, MalformedBody, "1 to 8 numbers, got 0 of them"),
    ({"inputs": [json_input(shape=[1] * 9)]}, None, MalformedBody, "1 to 8 numbers"),
    ({"inputs": [json_input(shape=[-1, 3])]}, None, MalformedBody, "whole numbers from 0, got [-1, 3]"),
    ({"inputs": [json_input(shape=[2, -1])]}, None, MalformedBody, "whole numbers from 0, got [2, -1]"),
    ({"inputs": [json_input(shape=[-1, -1])]}, None, MalformedBody, "whole numbers from 0, got [-1, -1]"),
    ({"inputs": [json_input(shape=-2)]}, None, MalformedBody, "whole numbers from 0, got -2"),
    ({"inputs": [json_input(shape=[1.0, 2])]}, None, MalformedBody, "whole numbers from 0"),
    ({"inputs": [json_input(shape=[True, 2])]}, None, MalformedBody, "whole numbers from 0"),
    ({"inputs": [json_input(shape=[2**31, 2])]}, None, MalformedBody, "whole numbers from 0"),
    ({"inputs": [json_input(shape=["1", 2])]}, None, MalformedBody, "whole numbers from 0"),
    ({"inputs": [json_input(shape=[0, 2], data=[])]}, None, EmptyBatch, "at least one row"),
    ({"inputs": [json_input(data=[])]}, None, EmptyBatch, "got an empty list"),
    ({"inputs": [json_input(data=[1])]}, None, MalformedBody, "or a flat list of 2 numbers, got shape [1]"),
    ({"inputs": [json_input(data=[[1], [2]])]}, None, MalformedBody, "got shape [2, 1]"),
    ({"inputs": [json_input(data=[[1, 2], [3]])]}, None, RaggedRows, "x: expected 2 numbers"),
    ({"inputs": [json_input(data=[1, [2]])]}, None, RaggedRows, "x: expected a number at [1]"),
    ({"inputs": [json_input(data=["a", 2])]}, None, NotNumbers, "x: expected numbers, got a string"),
    ({"inputs": [json_input(data=[True, 2])]}, None, NotNumbers, "x: expected numbers, got a boolean"),
    ({"inputs": [json_input(data=3)]}, None, NotNumbers, "expected data to be a list, got a number"),
    ({"inputs": [json_input(datatype="BOOL", data=[1, 2])]}, None, NotNumbers, "that BOOL can hold"),
    ({"inputs": [json_input(datatype="BOOL", data=["a", "b"])]}, None, NotNumbers, "that BOOL can hold"),
    ({"inputs": [json_input(datatype="UINT8", data=[1, 256])]}, None, NotNumbers, "that UINT8 can hold"),
    ({"inputs": [json_input(datatype="UINT8", data=[1, -1])]}, None, NotNumbers, "that UINT8 can hold"),
    ({"inputs": [json_input(datatype="INT32", data=[1, 0.5])]}, None, NotNumbers, "that INT32 can hold"),
    ({"inputs": [json_input(datatype="BYTES", data=[1, 2])]}, None, MalformedBody, "a list of 2 strings for BYTES"),
    (
        {"inputs": [json_input(datatype="BYTES", data=["YQ=="])]},
        None,
        MalformedBody,
        "a list of 2 strings for BYTES of shape [1, 2]",
    ),
    ({"inputs": [json_input(datatype="BYTES", data=["a", "b"])]}, None, MalformedBody, "strings of base64"),
    ({"inputs": [json_input(datatype="BYTES", data=["é", None])]}, None, MalformedBody, "a list of 2 strings"),
    ({"inputs": [json_input(datatype="BYTES", shape=[65_537], data=[])]}, None, TooManyRows, "at most 65536 elements"),
    ({"inputs": [binary_input(4, datatype="BYTES", shape=[65_537])]}, bytes(4), TooManyRows, "at most 65536 elements"),
    ({"inputs": [json_input(data=None)]}, None, MalformedBody, "either data or the parameter binary_data_size"),
    ({"inputs": [json_input(parameters={"binary_data_size": 8})]}, b"12345678", MalformedBody, "either data or"),
    ({"inputs": [json_input(parameters=[])]}, None, MalformedBody, "expected parameters to be an object"),
    ({"inputs": [binary_input(8)]}, None, MalformedBody, "expected 8 bytes after the JSON, got 0"),
    ({"inputs": [binary_input(8)]}, b"1234567", MalformedBody, "expected 8 bytes after the JSON, got 7"),
    ({"inputs": [binary_input(4)]}, b"1234", MalformedBody, "expected 8 bytes of FP32 for shape [1, 2], got 4"),
    (
        {"inputs": [binary_input(-8)]},
        b"12345678",
        MalformedBody,
        "to be a whole number from 0, got -8",
    ),
    ({"inputs": [binary_input(True)]}, b"1", MalformedBody, "binary_data_size to be a whole number"),
    ({"inputs": [binary_input("8")]}, b"12345678", MalformedBody, "binary_data_size to be a whole number"),
    ({"inputs": [binary_input(2**40)]}, b"12345678", MalformedBody, "bytes after the JSON, got 8"),
    ({"inputs": [binary_input(8, shape=[2**31 - 1] * 8)]}, b"12345678", MalformedBody, "bytes of FP32 for shape"),
    ({"inputs": [binary_input(2, datatype="BOOL")]}, b"\x01\x02", MalformedBody, "bytes of 0 or 1 for datatype BOOL"),
    (
        {"inputs": [binary_input(3, datatype="BYTES")]},
        b"\x01\0\0",
        MalformedBody,
        "element 0 of BYTES is longer",
    ),
    (
        {"inputs": [binary_input(5, datatype="BYTES")]},
        b"\x02\0\0\0a",
        MalformedBody,
        "element 0 of BYTES is longer",
    ),
    ({"inputs": [binary_input(5, datatype="BYTES")]}, b"\x01\0\0\0a", MalformedBody, "2 elements of BYTES"),
    ({"inputs": [binary_input(12, datatype="BYTES")]}, bytes(12), MalformedBody, "got 2 and 4 bytes more"),
    (
        {"inputs": [binary_input(4, datatype="BYTES")]},
        b"\xff\xff\xff\xff",
        MalformedBody,
        "element 0 of BYTES is longer",
    ),
    (
        {"inputs": [json_input(parameters={"shared_memory_region": "r"})]},
        None,
        Refused,
        "shared_memory_region is not offered",
    ),
]


@pytest.mark.parametrize("simdjson", [True, False])
@pytest.mark.parametrize(("document", "blobs", "error", "message"), WRONG)
def test_invalid_tensors_are_refused_with_the_reason(
    document: object,
    blobs: bytes | None,
    error: type[ServiceError],
    message: str,
    simdjson: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_body, "HAS_SIMDJSON", simdjson and json_body.HAS_SIMDJSON)
    assert_refused(document, blobs, error, message)


@pytest.mark.parametrize(
    ("values", "datatype", "content"),
    [
        (np.array([[1, 2], [3, 4]], np.float32).T, "FP32", np.array([1, 3, 2, 4], "<f4").tobytes()),
        (np.array([True, False]), "BOOL", b"\x01\x00"),
    ],
)
def test_outputs_are_numbers_or_booleans(values: Rows, datatype: str, content: bytes) -> None:
    assert output_datatype(values) == datatype
    assert output_bytes(values) == content
