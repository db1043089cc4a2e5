"""Usual requests are read as all others are, in less time; whatever differs is left to the general reader."""

from __future__ import annotations

import json
import math
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ServiceError
from app.formats.open_inference import InferenceRequest, read_request
from app.formats.usual_inference import read_usual

TENSOR = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [0, 0.5, -1, 1e-3]}


def body(**members: Any) -> bytes:
    """Return a request with one input, whose members may be replaced or, by None, left out."""
    tensor = {name: value for name, value in (TENSOR | members).items() if value is not None}
    return json.dumps({"inputs": [tensor]}).encode()


def read_generally(content: bytes) -> InferenceRequest | str:
    """Return what the general reader makes of a request, or the text of its error."""
    with patch("app.formats.open_inference.read_usual", return_value=None):
        try:
            return read_request(content, None)
        except ServiceError as error:
            return error.detail


def test_the_parts_of_a_usual_request_are_found() -> None:
    usual = read_usual(json.dumps({"id": "7", "inputs": [TENSOR]}).encode())
    assert usual is not None
    tensor, request_id = usual
    assert (tensor[:3], request_id) == (("x", "FP32", (2, 2)), "7")
    numbers = tensor.numbers()
    assert numbers is tensor.values
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, np.array([[0, 0.5], [-1, 1e-3]], np.float32))


@pytest.mark.parametrize(
    "content",
    [
        body(data=[[0, 0.5], [-1, 1e-3]]),
        body(shape=[2, 3]),
        body(shape=[-1, 2]),
        body(shape=[2.0, 2]),
        body(shape=[True, 4]),
        body(shape=4),
        body(shape=[]),
        body(shape=[1] * 9, data=[1]),
        body(shape=[0, 2], data=[]),
        body(datatype="INT32"),
        body(datatype="BYTES"),
        body(datatype=7),
        body(name=""),
        body(name=7),
        body(name=None),
        body(name="x[]"),
        body(data=["0", "1", "2", "3"]),
        body(data=[None, 1, 2, 3]),
        body(data=[True, 1, 2, 3]),
        body(parameters={}),
        b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1], "data": [2]}]}',
        json.dumps({"inputs": [TENSOR], "outputs": []}).encode(),
        json.dumps({"inputs": [TENSOR], "parameters": {}}).encode(),
        json.dumps({"inputs": [TENSOR], "id": 7}).encode(),
        json.dumps({"inputs": [TENSOR, TENSOR]}).encode(),
        json.dumps({"inputs": TENSOR}).encode(),
        json.dumps([TENSOR]).encode(),
        b"\xef\xbb\xbf" + body(),
        body()[:-1],
        b"",
    ],
)
def test_other_requests_are_left_to_the_general_reader(content: bytes) -> None:
    assert read_usual(content) is None


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
    st.sampled_from(["FP32", "FP64"]),
    st.none() | st.text(),
    st.data(),
)
def test_the_result_is_that_of_the_general_reader(
    shape: list[int], datatype: str, request_id: str | None, data: st.DataObject
) -> None:
    size = math.prod(shape)
    numbers = data.draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=size, max_size=size))
    document = {"inputs": [TENSOR | {"shape": shape, "datatype": datatype, "data": numbers}], "id": request_id}
    content = json.dumps(document).encode()
    found, expected = read_request(content, None), read_generally(content)
    assert not isinstance(expected, str)
    assert found[1:] == expected[1:]
    assert found.inputs["x"][:3] == expected.inputs["x"][:3]
    np.testing.assert_array_equal(found.inputs["x"].numbers(), expected.inputs["x"].numbers())
