"""JSON to arrays and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import EmptyBatch, InvalidInput, MalformedBody, NotFinite, NotNumbers, RaggedRows, ServiceError
from app.formats import json_arrays
from app.formats.json_arrays import read_rows, write_object


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
        (b'{"samples": 3}', InvalidInput, "expected a list of rows, got a number"),
        (b'{"samples": {"a": 1}}', InvalidInput, "got an object"),
        (b'{"samples": []}', EmptyBatch, "at least one row"),
        (b'{"samples": [[1, 2], [1, 2, 3]]}', RaggedRows, "expected 2 numbers or lists at [1] as at [0], got 3"),
        (b'{"samples": [[1, 2], 3]}', RaggedRows, "expected a list at [1] as at [0], got a number"),
        (b'{"samples": [3, [1, 2]]}', RaggedRows, "expected a number at [1] as at [0], got a list"),
        (b'{"samples": [[[1], [2]], [[1], [2, 3]]]}', RaggedRows, "at [1, 1] as at [0, 0], got 2"),
        (b'{"samples": [[1, "2"]]}', NotNumbers, "expected numbers, got a string at [0, 1]"),
        (b'{"samples": [["a", "b"]]}', NotNumbers, "got a string at [0, 0]"),
        (b'{"samples": [[1, null]]}', NotNumbers, "got null at [0, 1]"),
        (b'{"samples": [[1, {}]]}', NotNumbers, "got an object at [0, 1]"),
        (b'{"samples": [[true, false]]}', NotNumbers, "got a boolean at [0, 0]"),
        (b'{"samples": [[0.5, true]]}', NotNumbers, "got a boolean at [0, 1]"),
        (b'{"samples": [[' + b"9" * 400 + b"]]}", ServiceError, ""),
        (b'{"samples": ' + b"[" * 70 + b"]" * 70 + b"}", RaggedRows, "nested more than 8 deep"),
    ],
)
def test_each_thing_that_can_be_wrong_is_told(body: bytes, error: type[ServiceError], message: str) -> None:
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
def test_any_json_is_an_array_or_a_clear_error(value: object) -> None:
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
def test_any_bytes_are_an_array_or_a_clear_error(body: bytes) -> None:
    try:
        read_rows(body, "samples")
    except ServiceError as error:
        assert error.status in (400, 422)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_float32_survives_the_way_out_and_back_to_the_bit(values: list[float]) -> None:
    array = np.array([values], np.float32)
    again = read_rows(write_object({"samples": array}), "samples")
    assert again.tobytes() == array.tobytes() or np.array_equal(again, array)


ODD = [
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
    """The array as lists, or the error."""
    try:
        array = read_rows(content, "samples")
    except ServiceError as error:
        return type(error), error.detail
    return array.shape, [float(number).hex() for number in array.ravel()]


def assert_that_both_readers_agree(content: bytes) -> None:
    """What the short way gives is what the careful one would have given."""
    directly = outcome(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.formats.json_arrays.DIRECT", False)
        assert outcome(content) == directly


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_the_short_way_gives_what_the_careful_one_gives(content: bytes) -> None:
    assert_that_both_readers_agree(content)


NUMBER = st.floats(width=32, allow_nan=False) | st.floats(allow_nan=False) | st.integers() | st.booleans() | st.none()
NESTED = st.recursive(NUMBER, lambda inner: st.lists(inner, max_size=4), max_leaves=24)


@settings(max_examples=400, deadline=None)
@given(NESTED, st.sampled_from(["samples", "other"]), st.sampled_from([None, (",", ":")]))
def test_the_short_way_gives_what_the_careful_one_gives_of_anything(rows: Any, member: str, separators: Any) -> None:
    assert_that_both_readers_agree(json.dumps({member: rows}, separators=separators).encode())


@pytest.mark.skipif(not json_arrays.DIRECT, reason="simdjson has no build for this Python")
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 1, 3), (2, 3, 1), (3, 2, 4, 2)])
def test_what_is_right_goes_the_short_way(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.formats.json_arrays._read_carefully", None)
    array = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    content = json.dumps({"samples": array.astype(float).tolist()}).encode()
    np.testing.assert_array_equal(read_rows(content, "samples"), array)


@pytest.mark.parametrize("rows", [1, 2, 200])
def test_a_list_among_the_numbers_of_the_last_row_is_found(rows: int) -> None:
    """As many numbers as there should be, and a bracket too many: simdjson would flatten it."""
    body = {"samples": [[0.5, 0.5]] * (rows - 1) + [[0.5, [0.5]]]}
    with pytest.raises((RaggedRows, NotNumbers)):
        read_rows(json.dumps(body).encode(), "samples")
