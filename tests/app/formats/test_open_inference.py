"""Requests and answers of the Open Inference Protocol match bytes written by hand; invalid requests are refused."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import (
    EmptyBatch,
    InvalidInput,
    MalformedBody,
    NotFinite,
    Refused,
    ServiceError,
)
from app.formats import json_body
from app.formats.open_inference import read_raw, read_request
from app.formats.tensors import Blobs
from tests.helpers.inference import NUMPY_TYPES, assert_refused, binary_input, json_input, only_input, read


def test_blobs_are_read_in_order() -> None:
    blobs = Blobs(b"{}abcd", 2)
    assert (blobs.take(1, "x"), blobs.take(3, "y")) == (b"a", b"bcd")
    blobs.require_end()
    with pytest.raises(MalformedBody, match="z: expected 1 bytes after the JSON, got 0"):
        blobs.take(1, "z")


def test_a_request_written_by_hand_is_read() -> None:
    header = (
        b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}],'
        b'"parameters":{"binary_data_output":true}}'
    )
    assert len(header) == 135
    request = read_request(header + struct.pack("<4f", 1, -2, 0.5, 3), 135)
    assert request.inputs["x"].numbers().tolist() == [[1, -2, 0.5, 3]]
    assert (request.binary, request.outputs, request.parameters, request.id) == (True, None, {}, None)


def test_bytes_belong_to_the_binary_inputs_in_order() -> None:
    inputs = [binary_input(8, name="a"), json_input(name="b", data=[5, 6]), binary_input(2, name="c", datatype="INT8")]
    request = read({"inputs": inputs}, struct.pack("<2f", 1, 2) + b"\x03\xfc")
    numbers = {name: tensor.numbers().tolist() for name, tensor in request.inputs.items()}
    assert numbers == {"a": [[1, 2]], "b": [[5, 6]], "c": [[3, -4]]}


def test_outputs_may_be_binary_or_json() -> None:
    outputs = [{"name": "a", "parameters": {"binary_data": True}}, {"name": "b"}]
    assert read({"inputs": [json_input()], "outputs": outputs}).outputs == {"a": True, "b": False}
    whole = {"inputs": [json_input()], "outputs": outputs, "parameters": {"binary_data_output": True, "seed": 3}}
    request = read(whole)
    assert request.outputs == {"a": True, "b": True}
    assert request.parameters == {"seed": 3}


def test_unknown_members_are_ignored() -> None:
    request = read({"model_name": "m", "id": "7", "inputs": [json_input(parameters={"content_type": "np"}, note=[1])]})
    assert (request.id, only_input(request).numbers().tolist()) == ("7", [[1, 2]])


@pytest.mark.parametrize("simdjson", [True, False])
def test_the_last_of_two_equal_members_counts(simdjson: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_body, "HAS_SIMDJSON", simdjson and json_body.HAS_SIMDJSON)
    assert read_request(b'{"id": "a", "inputs": [], "id": "b"}', None).id == "b"


WRONG: list[tuple[object, bytes | None, type[ServiceError], str]] = [
    ([], None, MalformedBody, "expected an object"),
    ({"inputs": {}}, None, MalformedBody, "expected inputs to be a list, got an object"),
    ({"inputs": [3]}, None, MalformedBody, "inputs: expected objects, got a number"),
    ({"inputs": [json_input(), json_input()]}, None, InvalidInput, "'x' is given twice"),
    (
        {"inputs": [json_input(name=str(n)) for n in range(65)]},
        None,
        MalformedBody,
        "expected at most 64, got 65",
    ),
    ({"inputs": [binary_input(8)]}, b"123456789", MalformedBody, "nothing after the last input, got 1 bytes"),
    ({"inputs": [json_input()]}, b"1", MalformedBody, "nothing after the last input, got 1 bytes"),
    ({"inputs": [json_input()], "outputs": [{"name": "z"}] * 2}, None, InvalidInput, "'z' is given twice"),
    ({"inputs": [json_input()], "outputs": ["z"]}, None, MalformedBody, "outputs: expected objects, got a string"),
    ({"inputs": [json_input()], "id": 7}, None, MalformedBody, "expected id to be a string, got a number"),
    ({"inputs": [json_input()], "parameters": 7}, None, MalformedBody, "expected parameters to be an object"),
    (
        {"inputs": [json_input()], "parameters": {"binary_data_output": 1}},
        None,
        MalformedBody,
        "binary_data_output: expected true or false, got a number",
    ),
    (
        {"inputs": [json_input()], "outputs": [{"name": "z", "parameters": {"binary_data": "yes"}}]},
        None,
        MalformedBody,
        "z: binary_data: expected true or false, got a string",
    ),
    (
        {"inputs": [json_input()], "outputs": [{"name": "z", "parameters": {"classification": 3}}]},
        None,
        Refused,
        "classification is not offered",
    ),
]


@pytest.mark.parametrize("simdjson", [True, False])
@pytest.mark.parametrize(("document", "blobs", "error", "message"), WRONG)
def test_invalid_requests_are_refused_with_the_reason(
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
def test_invalid_json_is_refused(content: bytes, length: int | None, error: type[ServiceError], message: str) -> None:
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
        "datatype": st.sampled_from([*NUMPY_TYPES, "BF16", "BYTES"]) | JSON_VALUES,
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
def test_both_readers_agree_on_any_document(document: Any, blobs: bytes | None) -> None:
    def outcome(simdjson: bool) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_body, "HAS_SIMDJSON", simdjson and json_body.HAS_SIMDJSON)
            try:
                inputs = read(document, blobs).inputs.values()
                return str([t.values if isinstance(t.values, list) else t.numbers().tolist() for t in inputs])
            except ServiceError as error:
                return error.code

    assert outcome(simdjson=True) == outcome(simdjson=False)


@given(content=st.binary(max_size=60), length=st.none() | st.integers(0, 70))
def test_any_bytes_give_a_request_or_a_known_error(content: bytes, length: int | None) -> None:
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
