"""JSON bodies become arrays or images, the same by both readers, or are refused with the reason."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import (
    BodyTooLarge,
    InvalidInput,
    MalformedBody,
    NotFinite,
    NotNumbers,
    RaggedRows,
    ServiceError,
)
from app.formats.json_body import (
    HAS_SIMDJSON,
    MAX_JSON_LISTS,
    MAX_JSON_NUMBERS,
    MAX_JSON_OBJECTS,
    MAX_JSON_QUOTES,
    SMALL_BODY_BYTES,
    read_document,
    read_rows,
    read_valid_rows,
)


def test_numbers_become_float32() -> None:
    rows = read_rows(b'{"samples": [[0, 0.5], [1, -2e3]]}', "samples")
    assert rows.dtype == np.float32
    assert rows.tolist() == [[0, 0.5], [1, -2000]]


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (b"", MalformedBody, 'expected JSON such as {"samples": [[0.5, 0]]}'),
        (b'{"samples": [[1, 2]', MalformedBody, "expected JSON"),
        (b"\xff\xfe", MalformedBody, "expected JSON"),
        (b'{"samples": [[NaN, 1]]}', NotFinite, "NaN or Infinity"),
        (b'{"samples": [[1, -Infinity]]}', NotFinite, "NaN or Infinity"),
        (b"[[1, 2]]", InvalidInput, 'expected an object {"samples": [...]}, got a list'),
        (b"null", InvalidInput, "got null"),
        (b"{}", InvalidInput, "expected the one member 'samples', got none"),
        (b'{"data": [[1]]}', InvalidInput, "got 'data'"),
        (b'{"samples": [[1]], "seed": 3}', InvalidInput, "options go into the query"),
        (b'{"samples": [[' + b"9" * 400 + b"]]}", ServiceError, ""),
        (b'{"samples": ' + b"[" * 70 + b"]" * 70 + b"}", RaggedRows, "nested more than 8 deep"),
    ],
)
def test_invalid_bodies_are_refused_with_the_reason(body: bytes, error: type[ServiceError], message: str) -> None:
    with pytest.raises(error) as caught:
        read_rows(body, "samples")
    assert type(caught.value) is error or message == ""
    assert message in caught.value.detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=20,
)


@given(json_values)
def test_any_json_gives_an_array_or_a_known_error(value: object) -> None:
    body = json.dumps({"samples": value}).encode()
    try:
        rows = read_rows(body, "samples")
    except ServiceError as error:
        assert error.status in (400, 422)
        assert error.detail
    else:
        assert rows.dtype == np.float32
        assert len(rows) >= 1


@given(st.binary(max_size=200))
def test_any_bytes_give_an_array_or_a_known_error(body: bytes) -> None:
    try:
        read_rows(body, "samples")
    except ServiceError as error:
        assert error.status in (400, 422)


UNUSUAL_BODIES = [
    b'{"samples": [[1, [2]], [3, 4]]}',
    b'{"samples": [[1, [2]], 3]}',
    b'{"samples": [[[1], [2]], [[3], [4]]]}',
    b'{"samples": [[1, 2], [3], [4, 5, 6]]}',
    b'{"samples": [[[1, 2], [3, 4]], [[5, 6, 7], [8]]]}',
    b'{"samples": [[1]], "samples": [[2]]}',
    b'\xef\xbb\xbf{"samples": [[1]]}',
    b'{"samp\\u006ces": [[1]]}',
    b'{"samples": [[1e39, -0.0, 18446744073709551616]]}',
    b'{"samples": ["ab", "cd"]}',
    b'{"samples": [{"0": 1}, {"0": 2}]}',
    b'{"samples": [[1], {"a": 1}]}',
    b'{"samples": [[true], [false]]}',
    b'{"samples": [[1], [null]]}',
    b'{"samples": [[]]}',
    b'{"samples": [[1]]} x',
    b'{"samples": [[1,]]}',
    b'{"samples": [[01]]}',
    b'{"samples": [[NaN]]}',
    b'{"samples": [[1], "["]}',
    b'{"samples": ' + b"[" * 40 + b"1" + b"]" * 40 + b"}",
    b'{"samples": ' + b"[" * 2000 + b"]" * 2000 + b"}",
]


def outcome(content: bytes) -> Any:
    """Return the array as lists, or the error."""
    try:
        array = read_rows(content, "samples")
    except ServiceError as error:
        return type(error), error.detail
    return array.shape, [float(number).hex() for number in array.ravel()]


def assert_readers_agree(content: bytes) -> None:
    """Compare the outcome with that of a Python without simdjson."""
    expected = outcome(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.formats.json_body.HAS_SIMDJSON", False)
        assert outcome(content) == expected


@pytest.mark.parametrize("content", UNUSUAL_BODIES, ids=range(len(UNUSUAL_BODIES)))
def test_both_readers_agree_on_unusual_bodies(content: bytes) -> None:
    assert_readers_agree(content)


NUMBER = st.floats(width=32, allow_nan=False) | st.floats(allow_nan=False) | st.integers() | st.booleans() | st.none()
NESTED = st.recursive(NUMBER, lambda inner: st.lists(inner, max_size=4), max_leaves=24)


@settings(max_examples=400, deadline=None)
@given(NESTED, st.sampled_from(["samples", "other"]), st.sampled_from([None, (",", ":")]))
def test_both_readers_agree_on_any_rows(rows: Any, member: str, separators: Any) -> None:
    assert_readers_agree(json.dumps({member: rows}, separators=separators).encode())


@pytest.mark.skipif(not HAS_SIMDJSON, reason="simdjson has no build for this Python")
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 1, 3), (2, 3, 1), (3, 2, 4, 2)])
def test_simdjson_reads_valid_rows(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    content = json.dumps({"samples": array.astype(float).tolist()}).encode()
    rows = read_valid_rows(content, "samples")
    assert rows is not None
    np.testing.assert_array_equal(rows, array)


@pytest.mark.parametrize("rows", [1, 2, 200])
def test_a_list_among_the_numbers_of_the_last_row_is_refused(rows: int) -> None:
    """Simdjson would flatten the list, and the count of numbers is right."""
    body = {"samples": [[0.5, 0.5]] * (rows - 1) + [[0.5, [0.5]]]}
    with pytest.raises((RaggedRows, NotNumbers)):
        read_rows(json.dumps(body).encode(), "samples")


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (b'{"samples": [' + b"0," * MAX_JSON_NUMBERS + b"0,0]}", BodyTooLarge, f"at most {MAX_JSON_NUMBERS} numbers"),
        (b'{"samples": [' + b"[]," * MAX_JSON_LISTS + b"[]]}", BodyTooLarge, f"at most {MAX_JSON_LISTS} lists"),
        (b'{"a": [' + b"{}," * 200_000 + b"{}]}", BodyTooLarge, f"at most {MAX_JSON_OBJECTS} objects"),
        (b'{"samples": [' + b'"",' * 200_000 + b"0]}", NotNumbers, f"more than {MAX_JSON_QUOTES // 2} of them"),
    ],
    ids=["numbers", "lists", "objects", "strings"],
)
def test_large_bodies_with_too_many_elements_are_refused(body: bytes, error: type[ServiceError], message: str) -> None:
    assert len(body) > SMALL_BODY_BYTES
    with pytest.raises(error, match=message):
        read_rows(body, "samples")


def test_documents_hold_arrays_under_the_named_member() -> None:
    document = read_document(b'{"data": [[1, 2], [3, 4]], "other": [1, "a"]}', "data")
    assert np.array(document["data"]).tolist() == [[1, 2], [3, 4]]
    assert document["other"] == [1, "a"]
