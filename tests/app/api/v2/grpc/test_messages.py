"""Messages become requests of /v2, raw or typed, and results become messages."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies

from app.api.state import State
from app.api.v2.grpc import open_inference_pb2 as pb
from app.api.v2.grpc.messages import parse_message, read_message, write_message
from app.api.v2.models import Entries, Entry
from app.errors import EmptyBatch, InvalidInput, MalformedBody, NotNumbers, Refused, ServiceError
from app.formats.shared_memory import Span

Input = pb.ModelInferRequest.InferInputTensor


@pytest.fixture(scope="module")
def entry(tiny_state: State) -> Entry:
    """Return a model with two outputs."""
    return tiny_state.catalog.view(Entries).get("tiny-ae.reconstruct")


def typed(datatype: str, shape: list[int], **contents: Any) -> pb.ModelInferRequest:
    """Return a request with one typed input."""
    tensor = Input(name="x", datatype=datatype, shape=shape, contents=pb.InferTensorContents(**contents))
    return pb.ModelInferRequest(inputs=[tensor])


def raw(*contents: bytes, **members: Any) -> pb.ModelInferRequest:
    """Return a request with one input of two floats, and these raw contents."""
    tensor = Input(**{"name": "x", "datatype": "FP32", "shape": [1, 2], **members})
    return pb.ModelInferRequest(inputs=[tensor], raw_input_contents=contents)


@pytest.mark.parametrize(
    ("datatype", "member", "values"),
    [
        ("BOOL", "bool_contents", [True, False]),
        ("INT8", "int_contents", [-128, 127]),
        ("INT16", "int_contents", [-(2**15), 2**15 - 1]),
        ("INT32", "int_contents", [-(2**31), 2**31 - 1]),
        ("INT64", "int64_contents", [-(2**63), 2**63 - 1]),
        ("UINT8", "uint_contents", [0, 255]),
        ("UINT16", "uint_contents", [0, 2**16 - 1]),
        ("UINT32", "uint_contents", [0, 2**32 - 1]),
        ("UINT64", "uint64_contents", [0, 2**64 - 1]),
        ("FP32", "fp32_contents", [0.5, -1.5]),
        ("FP64", "fp64_contents", [0.1, 1e300]),
    ],
)
def test_typed_numbers_are_read(datatype: str, member: str, values: list[Any]) -> None:
    request = read_message(typed(datatype, [1, 2], **{member: values}))
    numbers = request.inputs["x"].values
    assert isinstance(numbers, np.ndarray)
    assert numbers.tolist() == [values]
    assert request.binary is False


def test_typed_bytes_are_elements() -> None:
    request = read_message(typed("BYTES", [2], bytes_contents=[b"first", b""]))
    assert request.inputs["x"].values == [b"first", b""]


def test_raw_numbers_are_read_where_they_are() -> None:
    content = np.array([0.25, 4], "<f4").tobytes()
    request = read_message(raw(content))
    numbers = request.inputs["x"].values
    assert isinstance(numbers, np.ndarray)
    assert numbers.tolist() == [[0.25, 4]]
    assert not numbers.flags.owndata
    assert request.binary is True


@pytest.mark.parametrize(
    ("message", "error", "detail"),
    [
        (typed("INT8", [1, 1], int_contents=[300]), NotNumbers, "expected numbers that INT8 can hold"),
        (typed("FP16", [1, 1]), InvalidInput, "expected a datatype of BOOL, "),
        (typed("FP32", [1, 2], fp32_contents=[1]), MalformedBody, "expected 8 bytes of FP32 for shape [1, 2], got 4"),
        (typed("FP32", [1, 2], int_contents=[1, 2]), MalformedBody, "got 0"),
        (typed("FP32", []), MalformedBody, "expected a shape of 1 to 8 numbers"),
        (typed("FP32", [0, 2]), EmptyBatch, "at least one row"),
        (raw(bytes(8), bytes(8)), MalformedBody, "expected one for each of 1 inputs, got 2"),
        (raw(bytes(7)), MalformedBody, "expected 8 bytes of FP32"),
        (raw(bytes(8), shape=[-1, 2]), MalformedBody, "expected a shape of whole numbers"),
        (raw(bytes(8), datatype="FP33"), InvalidInput, "expected a datatype of"),
        (raw(bytes(8), contents=pb.InferTensorContents(fp32_contents=[1, 2])), MalformedBody, "got both"),
        (pb.ModelInferRequest(raw_input_contents=[b"1"]), MalformedBody, "expected one for each of 0 inputs"),
        (pb.ModelInferRequest(inputs=[Input(name="x")] * 65), MalformedBody, "expected at most 64, got 65"),
        (
            raw(parameters={"shared_memory_region": pb.InferParameter(string_param="a")}),
            Refused,
            "shared_memory_region is not offered",
        ),
    ],
)
def test_a_message_without_a_meaning_is_refused(
    message: pb.ModelInferRequest, error: type[ServiceError], detail: str
) -> None:
    with pytest.raises(error) as caught:
        read_message(message)
    assert type(caught.value) is error
    assert detail in caught.value.detail


def test_an_input_that_is_given_twice_is_named() -> None:
    tensor = Input(name="x", datatype="FP32", shape=[1, 1])
    message = pb.ModelInferRequest(inputs=[tensor, tensor], raw_input_contents=[bytes(4), bytes(4)])
    with pytest.raises(InvalidInput, match="'x' is given twice"):
        read_message(message)


def test_parameters_of_every_type_are_read() -> None:
    parameters = {
        "flag": pb.InferParameter(bool_param=False),
        "whole": pb.InferParameter(int64_param=-1),
        "large": pb.InferParameter(uint64_param=2**64 - 1),
        "text": pb.InferParameter(string_param=""),
        "number": pb.InferParameter(double_param=0.0),
        "unset": pb.InferParameter(),
    }
    request = read_message(pb.ModelInferRequest(id="seven", parameters=parameters))
    assert request.parameters == {"flag": False, "whole": -1, "large": 2**64 - 1, "text": "", "number": 0.0}
    assert request.id == "seven"


def test_outputs_come_in_one_form() -> None:
    wanted = [
        pb.ModelInferRequest.InferRequestedOutputTensor(name="b"),
        pb.ModelInferRequest.InferRequestedOutputTensor(
            name="a", parameters={"binary_data": pb.InferParameter(bool_param=False)}
        ),
    ]
    message = raw(bytes(8))
    message.outputs.extend(wanted)
    outputs = read_message(message).outputs
    assert outputs is not None
    assert list(outputs.items()) == [("b", True), ("a", True)]
    message.parameters["binary_data_output"].bool_param = False
    assert read_message(message).outputs == {"b": False, "a": False}


def test_a_request_without_inputs_gets_raw_outputs() -> None:
    assert read_message(pb.ModelInferRequest()).binary is True


def refuse(*_: object) -> None:
    """Stand in for shared memory that is not used."""
    raise AssertionError


def test_results_are_written_raw_or_typed(entry: Entry) -> None:
    numbers = np.array([[1, 2], [3, 4]], np.float32)
    message = pb.ModelInferResponse.FromString(write_message(entry, "seven", 5, [("samples", numbers, True)], refuse))
    assert (message.model_name, message.model_version, message.id) == ("tiny-ae.reconstruct", "2", "seven")
    assert message.parameters["seed"].int64_param == 5
    assert message.outputs[0].shape == [2, 2]
    assert list(message.raw_output_contents) == [np.array([1, 2, 3, 4], "<f4").tobytes()]
    assert not message.outputs[0].HasField("contents")
    message = pb.ModelInferResponse.FromString(write_message(entry, None, None, [("samples", numbers, False)], refuse))
    assert list(message.outputs[0].contents.fp32_contents) == [1, 2, 3, 4]
    assert list(message.raw_output_contents) == []
    assert (message.id, dict(message.parameters)) == ("", {})


def test_verdicts_are_written_as_booleans(entry: Entry) -> None:
    verdicts = np.array([True, False])
    for raw in (True, False):
        content = write_message(entry, None, None, [("anomalous", verdicts, raw)], refuse)
        message = pb.ModelInferResponse.FromString(content)
        assert message.outputs[0].datatype == "BOOL"
        assert list(message.raw_output_contents) == ([b"\x01\x00"] if raw else [])
        assert list(message.outputs[0].contents.bool_contents) == ([] if raw else [True, False])


def test_outputs_in_shared_memory_keep_the_places_of_the_others(entry: Entry) -> None:
    numbers, written = np.array([1, 2], np.float32), []
    outputs: list[Any] = [("samples", numbers, Span("region", 8, 64)), ("errors", numbers, True)]
    content = write_message(entry, None, None, outputs, lambda *place: written.append(place))
    message = pb.ModelInferResponse.FromString(content)
    assert written == [(Span("region", 8, 64), numbers.tobytes())]
    assert list(message.raw_output_contents) == [b"", numbers.tobytes()]
    assert message.outputs[0].parameters["shared_memory_region"].string_param == "region"
    assert message.outputs[0].parameters["shared_memory_byte_size"].int64_param == 8


def test_bytes_that_are_no_message_are_named() -> None:
    with pytest.raises(MalformedBody, match="expected a ModelInferRequest, got 3 bytes"):
        parse_message(pb.ModelInferRequest, b"\xff\xff\xff")


VALID = raw(
    np.array([0.25, 4], "<f4").tobytes(),
    parameters={"shared_memory_offset": pb.InferParameter(int64_param=3)},
).SerializeToString()


@given(strategies.binary(max_size=200), strategies.integers(0, len(VALID)), strategies.integers(0, len(VALID)))
def test_any_bytes_are_a_request_or_an_error_for_the_client(noise: bytes, start: int, end: int) -> None:
    with suppress(ServiceError):
        read_message(parse_message(pb.ModelInferRequest, VALID[:start] + noise + VALID[end:]))
