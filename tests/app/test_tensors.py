"""Inference requests and answers as bytes: what the protocol says, written by hand, and every way to get it wrong."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.errors import (
    EmptyBatch,
    InvalidInput,
    MalformedBody,
    NotFinite,
    NotNumbers,
    RaggedRows,
    Refused,
    ServiceError,
    TooManyRows,
)
from app.formats import json_arrays
from app.formats.inference import InferenceRequest, read_raw, read_request, write_answer
from app.formats.tensors import Tensor

NUMPY: dict[str, str] = {
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
"""From the protocol's table of datatypes."""


def described(**members: Any) -> dict[str, Any]:
    """An input of a request: a row of two numbers, but for what is given; a member that is None is left out."""
    whole = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2], **members}
    return {name: value for name, value in whole.items() if value is not None}


def in_bytes(size: Any, **members: Any) -> dict[str, Any]:
    """An input whose data come after the JSON."""
    return described(data=None, parameters={"binary_data_size": size}, **members)


def read(document: object, blobs: bytes | None = None) -> InferenceRequest:
    """The request of a document, which bytes may follow."""
    header = json.dumps(document).encode()
    return read_request(header, None) if blobs is None else read_request(header + blobs, len(header))


def only(request: InferenceRequest) -> Tensor:
    """The one input of a request."""
    (tensor,) = request.inputs.values()
    return tensor


def test_the_worked_example_of_the_wire_is_read() -> None:
    header = (
        b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}],'
        b'"parameters":{"binary_data_output":true}}'
    )
    assert len(header) == 135
    request = read_request(header + struct.pack("<4f", 1, -2, 0.5, 3), 135)
    assert request.inputs["x"].numbers().tolist() == [[1, -2, 0.5, 3]]
    assert (request.binary, request.outputs, request.parameters, request.id) == (True, None, {}, None)


@pytest.mark.parametrize("datatype", NUMPY)
@given(data=st.data())
def test_numbers_of_every_datatype_come_as_bytes_and_as_json(datatype: str, data: st.DataObject) -> None:
    dtype = np.dtype(NUMPY[datatype])
    elements = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
    array = data.draw(arrays.arrays(dtype, arrays.array_shapes(max_dims=4, max_side=4), elements=elements or None))
    shape = list(array.shape)
    with np.errstate(over="ignore"):
        expected = array.astype(np.float32)
    size = array.nbytes
    found = only(read({"inputs": [in_bytes(size, shape=shape, datatype=datatype)]}, array.tobytes()))
    np.testing.assert_array_equal(found.numbers(), expected)
    assert found.numbers().flags.aligned
    for rows in (array.tolist(), array.ravel().tolist()):
        found = only(read({"inputs": [described(shape=shape, datatype=datatype, data=rows)]}))
        assert found.shape == array.shape
        np.testing.assert_allclose(found.numbers(), expected, rtol=1e-6)


def test_bf16_is_the_upper_half_of_a_float32() -> None:
    request = read({"inputs": [in_bytes(4, datatype="BF16")]}, bytes.fromhex("803f 20c0".replace(" ", "")))
    assert only(request).numbers().tolist() == [[1.0, -2.5]]


def test_the_largest_numbers_of_64_bits_fit_their_datatype() -> None:
    for datatype, numbers in (("UINT64", [0, 2**64 - 1]), ("INT64", [-(2**63), 2**63 - 1])):
        assert only(read({"inputs": [described(datatype=datatype, data=numbers)]})).numbers().tolist()[0][1] > 9e18
        with pytest.raises(ServiceError):
            read({"inputs": [described(datatype=datatype, data=[0, 2**65])]})


def test_booleans_may_be_numbers_in_json() -> None:
    for data in ([True, False], [1, 0], [[True, False]]):
        request = read({"inputs": [described(datatype="BOOL", data=data)]})
        assert only(request).numbers().tolist() == [[1, 0]]


def test_json_and_bytes_may_be_mixed_and_stand_in_the_order_of_the_inputs() -> None:
    inputs = [in_bytes(8, name="a"), described(name="b", data=[5, 6]), in_bytes(2, name="c", datatype="INT8")]
    request = read({"inputs": inputs}, struct.pack("<2f", 1, 2) + b"\x03\xfc")
    found = {name: tensor.numbers().tolist() for name, tensor in request.inputs.items()}
    assert found == {"a": [[1, 2]], "b": [[5, 6]], "c": [[3, -4]]}


def test_elements_of_bytes_have_their_length_before_them_or_are_base64() -> None:
    elements = [b"one", b"", b"\xff\x00"]
    blob = b"\x03\0\0\0one" + b"\0\0\0\0" + b"\x02\0\0\0\xff\0"
    request = read({"inputs": [in_bytes(len(blob), shape=[3], datatype="BYTES")]}, blob)
    assert only(request).values == elements
    texts = [base64.b64encode(element).decode() for element in elements]
    for data in (texts, [[text] for text in texts]):
        request = read({"inputs": [described(shape=[3, 1], datatype="BYTES", data=data)]})
        assert only(request).values == elements


def test_what_is_wanted_of_each_output() -> None:
    outputs = [{"name": "a", "parameters": {"binary_data": True}}, {"name": "b"}]
    assert read({"inputs": [described()], "outputs": outputs}).outputs == {"a": True, "b": False}
    whole = {"inputs": [described()], "outputs": outputs, "parameters": {"binary_data_output": True, "seed": 3}}
    request = read(whole)
    assert request.outputs == {"a": True, "b": True}
    assert request.parameters == {"seed": 3}


def test_unknown_members_are_passed_over() -> None:
    request = read({"model_name": "m", "id": "7", "inputs": [described(parameters={"content_type": "np"}, note=[1])]})
    assert (request.id, only(request).numbers().tolist()) == ("7", [[1, 2]])


@pytest.mark.parametrize("direct", [True, False])
def test_of_a_member_that_stands_twice_the_last_counts(direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_arrays, "DIRECT", direct and json_arrays.DIRECT)
    assert read_request(b'{"id": "a", "inputs": [], "id": "b"}', None).id == "b"


WRONG: list[tuple[object, bytes | None, type[ServiceError], str]] = [
    ([], None, MalformedBody, "expected an object"),
    ({"inputs": {}}, None, MalformedBody, "expected inputs to be a list, got an object"),
    ({"inputs": [3]}, None, MalformedBody, "inputs: expected objects, got a number"),
    ({"inputs": [described(name=None)]}, None, MalformedBody, "expected a name"),
    ({"inputs": [described(name=3)]}, None, MalformedBody, "expected name to be a string, got a number"),
    ({"inputs": [described(), described()]}, None, InvalidInput, "'x' stands there twice"),
    ({"inputs": [described(datatype="FP8")]}, None, InvalidInput, "got 'FP8'"),
    ({"inputs": [described(datatype=None)]}, None, InvalidInput, "expected a datatype of BOOL, UINT8"),
    ({"inputs": [described(shape=None)]}, None, MalformedBody, "expected a shape of 1 to 8 numbers, got null"),
    ({"inputs": [described(shape=[])]}, None, MalformedBody, "1 to 8 numbers, got 0 of them"),
    ({"inputs": [described(shape=[1] * 9)]}, None, MalformedBody, "1 to 8 numbers"),
    ({"inputs": [described(shape=[-1, 2])]}, None, MalformedBody, "whole numbers from 0, got [-1, 2]"),
    ({"inputs": [described(shape=[1.0, 2])]}, None, MalformedBody, "whole numbers from 0"),
    ({"inputs": [described(shape=[True, 2])]}, None, MalformedBody, "whole numbers from 0"),
    ({"inputs": [described(shape=[2**31, 2])]}, None, MalformedBody, "whole numbers from 0"),
    ({"inputs": [described(shape=["1", 2])]}, None, MalformedBody, "whole numbers from 0"),
    ({"inputs": [described(shape=[0, 2], data=[])]}, None, EmptyBatch, "at least one row"),
    ({"inputs": [described(data=[])]}, None, EmptyBatch, "got an empty list"),
    ({"inputs": [described(data=[1])]}, None, MalformedBody, "or 2 numbers in a row, got shape [1]"),
    ({"inputs": [described(data=[[1], [2]])]}, None, MalformedBody, "got shape [2, 1]"),
    ({"inputs": [described(data=[[1, 2], [3]])]}, None, RaggedRows, "x: expected 2 numbers"),
    ({"inputs": [described(data=[1, [2]])]}, None, RaggedRows, "x: expected a number at [1]"),
    ({"inputs": [described(data=["a", 2])]}, None, NotNumbers, "x: expected numbers, got a string"),
    ({"inputs": [described(data=[True, 2])]}, None, NotNumbers, "x: expected numbers, got a boolean"),
    ({"inputs": [described(data=3)]}, None, NotNumbers, "expected data to be a list, got a number"),
    ({"inputs": [described(datatype="BOOL", data=[1, 2])]}, None, NotNumbers, "that BOOL can hold"),
    ({"inputs": [described(datatype="BOOL", data=["a", "b"])]}, None, NotNumbers, "that BOOL can hold"),
    ({"inputs": [described(datatype="UINT8", data=[1, 256])]}, None, NotNumbers, "that UINT8 can hold"),
    ({"inputs": [described(datatype="UINT8", data=[1, -1])]}, None, NotNumbers, "that UINT8 can hold"),
    ({"inputs": [described(datatype="INT32", data=[1, 0.5])]}, None, NotNumbers, "that INT32 can hold"),
    ({"inputs": [described(datatype="BYTES", data=[1, 2])]}, None, MalformedBody, "a list of 2 strings for BYTES"),
    (
        {"inputs": [described(datatype="BYTES", data=["YQ=="])]},
        None,
        MalformedBody,
        "a list of 2 strings for BYTES of shape [1, 2]",
    ),
    ({"inputs": [described(datatype="BYTES", data=["a", "b"])]}, None, MalformedBody, "strings of base64"),
    ({"inputs": [described(datatype="BYTES", data=["é", None])]}, None, MalformedBody, "a list of 2 strings"),
    ({"inputs": [described(datatype="BYTES", shape=[65_537], data=[])]}, None, TooManyRows, "at most 65536 elements"),
    ({"inputs": [in_bytes(4, datatype="BYTES", shape=[65_537])]}, bytes(4), TooManyRows, "at most 65536 elements"),
    (
        {"inputs": [described(name=str(n)) for n in range(65)]},
        None,
        MalformedBody,
        "expected at most 64, got 65",
    ),
    ({"inputs": [described(data=None)]}, None, MalformedBody, "either data or the parameter binary_data_size"),
    ({"inputs": [described(parameters={"binary_data_size": 8})]}, b"12345678", MalformedBody, "either data or"),
    ({"inputs": [described(parameters=[])]}, None, MalformedBody, "expected parameters to be an object"),
    ({"inputs": [in_bytes(8)]}, None, MalformedBody, "expected 8 bytes after the JSON, got 0"),
    ({"inputs": [in_bytes(8)]}, b"1234567", MalformedBody, "expected 8 bytes after the JSON, got 7"),
    ({"inputs": [in_bytes(8)]}, b"123456789", MalformedBody, "nothing after the last input, got 1 bytes"),
    ({"inputs": [described()]}, b"1", MalformedBody, "nothing after the last input, got 1 bytes"),
    ({"inputs": [in_bytes(4)]}, b"1234", MalformedBody, "expected 8 bytes of FP32 for shape [1, 2], got 4"),
    ({"inputs": [in_bytes(-8)]}, b"12345678", MalformedBody, "binary_data_size to be a whole number from 0, got -8"),
    ({"inputs": [in_bytes(True)]}, b"1", MalformedBody, "binary_data_size to be a whole number"),
    ({"inputs": [in_bytes("8")]}, b"12345678", MalformedBody, "binary_data_size to be a whole number"),
    ({"inputs": [in_bytes(2**40)]}, b"12345678", MalformedBody, "bytes after the JSON, got 8"),
    ({"inputs": [in_bytes(8, shape=[2**31 - 1] * 8)]}, b"12345678", MalformedBody, "bytes of FP32 for shape"),
    ({"inputs": [in_bytes(2, datatype="BOOL")]}, b"\x01\x02", MalformedBody, "bytes of 0 or 1, as datatype BOOL says"),
    ({"inputs": [in_bytes(3, datatype="BYTES")]}, b"\x01\0\0", MalformedBody, "element 0 of BYTES says"),
    ({"inputs": [in_bytes(5, datatype="BYTES")]}, b"\x02\0\0\0a", MalformedBody, "element 0 of BYTES says"),
    ({"inputs": [in_bytes(5, datatype="BYTES")]}, b"\x01\0\0\0a", MalformedBody, "2 elements of BYTES"),
    ({"inputs": [in_bytes(12, datatype="BYTES")]}, bytes(12), MalformedBody, "got 2 and 4 bytes more"),
    ({"inputs": [in_bytes(4, datatype="BYTES")]}, b"\xff\xff\xff\xff", MalformedBody, "element 0 of BYTES says"),
    ({"inputs": [described()], "outputs": [{"name": "z"}] * 2}, None, InvalidInput, "'z' stands there twice"),
    ({"inputs": [described()], "outputs": ["z"]}, None, MalformedBody, "outputs: expected objects, got a string"),
    ({"inputs": [described()], "id": 7}, None, MalformedBody, "expected id to be a string, got a number"),
    ({"inputs": [described()], "parameters": 7}, None, MalformedBody, "expected parameters to be an object"),
    (
        {"inputs": [described()], "parameters": {"binary_data_output": 1}},
        None,
        MalformedBody,
        "binary_data_output: expected true or false, got a number",
    ),
    (
        {"inputs": [described()], "outputs": [{"name": "z", "parameters": {"binary_data": "yes"}}]},
        None,
        MalformedBody,
        "z: binary_data: expected true or false, got a string",
    ),
    (
        {"inputs": [described(parameters={"shared_memory_region": "r"})]},
        None,
        Refused,
        "shared_memory_region is not offered",
    ),
    (
        {"inputs": [described()], "outputs": [{"name": "z", "parameters": {"classification": 3}}]},
        None,
        Refused,
        "classification is not offered",
    ),
]


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize(("document", "blobs", "error", "message"), WRONG)
def test_each_thing_that_can_be_wrong_is_told(
    document: object,
    blobs: bytes | None,
    error: type[ServiceError],
    message: str,
    direct: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_arrays, "DIRECT", direct and json_arrays.DIRECT)
    with pytest.raises(error) as caught:
        read(document, blobs)
    assert type(caught.value) is error
    assert message in caught.value.detail


@pytest.mark.parametrize(
    ("content", "length", "error", "message"),
    [
        (b"", None, MalformedBody, "expected JSON"),
        (b"{}", 3, MalformedBody, "expected at most 2, got 3"),
        (b'{"inputs": [', None, MalformedBody, "expected JSON"),
        (b'{"inputs": []}', 5, MalformedBody, "expected JSON"),
        (b'{"id": "\xff"}', None, MalformedBody, "expected JSON"),
        (b'{"inputs": [{"data": [NaN]}]}', None, NotFinite, "NaN or Infinity"),
        (b"[" * 3000, None, MalformedBody, "expected JSON"),
    ],
)
def test_what_is_no_json_is_told(content: bytes, length: int | None, error: type[ServiceError], message: str) -> None:
    with pytest.raises(error, match=message):
        read_request(content, length)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=12,
)
INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("x") | JSON_VALUES,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | JSON_VALUES,
        "datatype": st.sampled_from([*NUMPY, "BF16", "BYTES"]) | JSON_VALUES,
        "data": st.lists(st.integers(-2, 300) | st.floats(allow_nan=False), max_size=4) | JSON_VALUES,
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-1, 9)}) | JSON_VALUES,
    },
)


@given(
    document=st.fixed_dictionaries(
        {"inputs": st.lists(INPUTS, max_size=2)}, optional={"outputs": JSON_VALUES, "parameters": JSON_VALUES}
    ),
    blobs=st.none() | st.binary(max_size=9),
)
def test_any_document_is_read_or_refused_and_alike_by_either_reader(document: Any, blobs: bytes | None) -> None:
    def outcome(direct: bool) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_arrays, "DIRECT", direct and json_arrays.DIRECT)
            try:
                inputs = read(document, blobs).inputs.values()
                return str([t.values if isinstance(t.values, list) else t.numbers().tolist() for t in inputs])
            except ServiceError as error:
                return error.code

    assert outcome(direct=True) == outcome(direct=False)


@given(content=st.binary(max_size=60), length=st.none() | st.integers(0, 70))
def test_any_bytes_are_read_or_refused(content: bytes, length: int | None) -> None:
    try:
        read_request(content, length)
    except ServiceError as error:
        assert error.status in (400, 422)


def test_raw_bytes_are_rows_of_one_input() -> None:
    request = read_raw(struct.pack("<4f", 1, 2, 3, 4), "x", "FP32", (1, 2))
    assert request.inputs["x"].numbers().tolist() == [[[1, 2]], [[3, 4]]]
    assert (request.binary, request.outputs) == (True, None)
    with pytest.raises(MalformedBody, match=r"expected rows of 8 bytes, FP32 of shape \[1, 2\], got 12"):
        read_raw(bytes(12), "x", "FP32", (1, 2))
    with pytest.raises(EmptyBatch):
        read_raw(b"", "x", "FP32", (1, 2))


@given(
    array=arrays.arrays(
        np.float32,
        arrays.array_shapes(max_side=3),
        elements=st.floats(-(2**90), 2**90, width=32, allow_subnormal=False),
    ),
    binary=st.booleans(),
)
def test_an_answer_holds_its_numbers(array: npt.NDArray[np.float32], binary: bool) -> None:
    other = np.array([0.5, -1], np.float32)
    content, length = write_answer({"model_name": "m", "id": "7"}, [("z", array.T, binary), ("e", other, False)])
    document = json.loads(content[:length])
    assert (document["model_name"], document["id"]) == ("m", "7")
    first, second = document["outputs"]
    assert (first["name"], first["datatype"], first["shape"]) == ("z", "FP32", list(array.T.shape))
    assert second == {"name": "e", "datatype": "FP32", "shape": [2], "data": [0.5, -1]}
    if binary:
        assert first["parameters"] == {"binary_data_size": array.nbytes}
        assert "data" not in first
        assert length is not None
        found = np.frombuffer(content[length:], "<f4")
    else:
        assert length is None
        found = np.array(first["data"], np.float32)
    np.testing.assert_array_equal(found, array.T.ravel())
