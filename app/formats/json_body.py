"""
Read JSON request bodies: arrays of numbers, and documents that contain such arrays.

simdjson reads a valid body straight into an array. If it rejects a body, orjson reads it into Python objects and
`app.formats.json_errors` explains what is wrong. That is four times slower, and happens only if the answer is an error
or simdjson has no build for this Python.
"""

from __future__ import annotations

import threading
from contextvars import Context
from itertools import islice
from typing import Any

import numpy as np
import orjson

try:
    import simdjson

    HAS_SIMDJSON = True
except ImportError:  # no build for this Python: slower, with the same results
    HAS_SIMDJSON = False

from app.arrays import Array, Rows
from app.errors import BodyTooLarge, InvalidInput, MalformedBody, NotFinite, NotNumbers
from app.formats.feature_rows import MAX_OBJECTS, MAX_QUOTES, FeatureRows
from app.formats.json_errors import MAX_DEPTH, describe, list_names, to_array
from app.inputs import VectorInput

SMALL_BODY_BYTES = 512 * 1024
"""
Bodies up to this size are read without counting their elements, by a parser that each thread reuses. A parser that has
read a large body would hold on to its memory; a new parser takes as long to allocate memory as to read.
"""
MAX_JSON_NUMBERS = 1_500_000
MAX_JSON_LISTS = 200_000
MAX_JSON_OBJECTS = MAX_JSON_QUOTES = 1000
"""
Limits on bodies of more than SMALL_BODY_BYTES. A number, a list, a string or an object takes up to 60 bytes while it is
read, so 16 MiB of the shortest ones would take hundreds of megabytes and tens of seconds.
"""
MAX_SEARCHED_LISTS = 16
"""Up to this count, finding opening brackets one by one is faster than comparing every byte."""
OPENING_BRACKET = np.uint8(ord("["))
BYTE_ORDER_MARK = b"\xef"
"""First byte of UTF-8's byte order mark. simdjson skips the mark, but JSON does not allow it."""
SIMDJSON_ERRORS = (ValueError, TypeError, KeyError, RuntimeError, AttributeError)


class Reader(threading.local):
    """The tools of each thread; the parser is for small bodies."""

    def __init__(self) -> None:
        self.parser: Any = simdjson.Parser() if HAS_SIMDJSON else None
        self.quiet = Context()
        """In it, numpy does not warn of numbers that are too large for float32. `np.errstate` takes 0.7 µs longer."""
        self.quiet.run(np.seterr, over="ignore")


_reader = Reader()


def read_rows(content: bytes, member: str, table: VectorInput | None = None) -> Array:
    """
    Return the array under the only member of a JSON object, such as {"samples": [[0, 0.5], [1, 0]]}.

    Rows of a table may also be objects, such as {"samples": [{"age": 41}]}.
    Raises MalformedBody, BodyTooLarge, NotFinite, NotNumbers, EmptyBatch, RaggedRows or InvalidInput.
    """
    if len(content) > SMALL_BODY_BYTES:
        _check_element_counts(content, MAX_OBJECTS if table else MAX_JSON_OBJECTS)
        quotes = MAX_QUOTES if table else MAX_JSON_QUOTES
        if content.count(b'"') > quotes:
            raise NotNumbers(f"{member}: expected numbers, got strings, more than {quotes // 2} of them")
    rows = read_valid_rows(content, member) if HAS_SIMDJSON else None
    return _read_rows_carefully(content, member, table) if rows is None else rows


def read_valid_rows(content: bytes, member: str) -> Array | None:
    """Return the array as `read_rows` does, without a Python object per number; None if anything is wrong."""
    try:
        body = parse(content)
        values = body[member]
        if len(body) != 1:
            return None
        if len(values) == 1 and isinstance(values[0], simdjson.Array) and not _has_more_lists(content, 2):
            shape: tuple[int, ...] | None = (1, -1)  # one flat row: there is nothing more to check
        else:
            shape = _shape(values)
            if shape is None or _has_more_lists(content, _count_lists(shape)):
                return None
        return to_float32(np.frombuffer(values.as_buffer(of_type="d"))).reshape(shape)  # raises for all but numbers
    except SIMDJSON_ERRORS:
        return None


def to_float32(numbers: Rows) -> Array:
    """Return numbers as float32. One that is too large becomes infinite, which the engine refuses."""
    rows: Array = _reader.quiet.run(numbers.astype, np.float32)
    return rows


def parse(content: bytes) -> Any:
    """Return a document of simdjson, which is read before the thread parses another one. Raises SIMDJSON_ERRORS."""
    if content.startswith(BYTE_ORDER_MARK) or not HAS_SIMDJSON:
        raise ValueError("a document that simdjson cannot read")
    return _parser(content).parse(content)


def _read_rows_carefully(content: bytes, member: str, table: VectorInput | None) -> Array:
    body = load(content, f'{{"{member}": [[0.5, 0]]}}', MAX_OBJECTS if table else MAX_JSON_OBJECTS)
    if not isinstance(body, dict):
        raise InvalidInput(f'expected an object {{"{member}": [...]}}, got {describe(body)}')
    check_only_member(body, member)
    rows = FeatureRows(table).read(body[member], member) if table else body[member]
    return rows if isinstance(rows, np.ndarray) else to_array(rows, member)


def check_only_member(body: dict[str, Any], member: str) -> None:
    """Raise InvalidInput if a body has another member."""
    if body.keys() != {member}:
        raise InvalidInput(f"expected the one member {member!r}, got {list_names(body)}; options go into the query")


def read_document(content: bytes, member: str) -> Any:
    """
    Return a JSON document, in which nested lists of numbers under members of this name may be float64 arrays.

    They are arrays if simdjson accepts the document and all lists of one depth have the same length.
    Raises MalformedBody, BodyTooLarge or NotFinite.
    """
    _check_element_counts(content)
    document = _read_valid_document(content, member) if HAS_SIMDJSON else None
    return load(content, "{...}") if document is None else document


def _read_valid_document(content: bytes, member: str) -> Any:
    """Return the document, or None if an array under the member, or anything else, is not valid."""
    lists = 0

    def convert(value: Any, name: str = "") -> Any:
        nonlocal lists
        if isinstance(value, simdjson.Object):
            members = {name: convert(value[name], name) for name in value.keys()}  # noqa: SIM118 - it has no __iter__
            if len(members) != len(value):
                raise ValueError("a member is given twice")
            return members
        if not isinstance(value, simdjson.Array):
            return value
        shape = _shape(value) if name == member else None
        if shape is None:
            lists += 1
            return [convert(inner) for inner in value]
        lists += _count_lists(shape)
        return np.frombuffer(value.as_buffer(of_type="d")).reshape(shape)

    try:
        document = convert(parse(content))
    except SIMDJSON_ERRORS:
        return None
    return document if np.count_nonzero(np.frombuffer(content, np.uint8) == OPENING_BRACKET) == lists else None


def load(content: bytes, example: str, max_objects: int = MAX_JSON_OBJECTS) -> Any:
    """Return a JSON document as Python objects. Raises MalformedBody with the example, BodyTooLarge or NotFinite."""
    _check_element_counts(content, max_objects)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if b"NaN" in content or b"Infinity" in content:
            raise NotFinite("expected finite numbers, got NaN or Infinity, which JSON does not have") from error
        raise MalformedBody(f"expected JSON such as {example}, but: {error}") from error


def _check_element_counts(content: bytes, max_objects: int = MAX_JSON_OBJECTS) -> None:
    """Raise BodyTooLarge for a large body that would take far more memory or time than its size suggests."""
    if len(content) <= SMALL_BODY_BYTES:
        return
    for character, name, limit in (
        (b",", "numbers or members", MAX_JSON_NUMBERS),
        (b"[", "lists", MAX_JSON_LISTS),
        (b"{", "objects", max_objects),
    ):
        if content.count(character) > limit:
            advice = "send fewer rows at once, flat rows, or bytes"
            raise BodyTooLarge(f"expected JSON of at most {limit} {name}, got more; {advice}")


def _parser(content: bytes) -> Any:
    return simdjson.Parser() if len(content) > SMALL_BODY_BYTES else _reader.parser


def _shape(rows: Any, depth: int = 0) -> tuple[int, ...] | None:
    """Return the shape of nested lists, or None if lists of one depth differ in length. Ignores innermost elements."""
    if not len(rows):
        return None
    first = rows[0]
    if not isinstance(first, simdjson.Array):
        return (len(rows),)
    inner = _shape(first, depth + 1) if depth < MAX_DEPTH else None
    if inner is None:
        return None
    if len(inner) == 1:
        same = {len(row) for row in rows} == {inner[0]}
    else:
        same = all(_shape(row, depth + 1) == inner for row in islice(rows, 1, None))
    return (len(rows), *inner) if same else None


def _count_lists(shape: tuple[int, ...]) -> int:
    """Return the count of lists in an array of this shape. If a body has no more, its innermost lists hold none."""
    count, total = 1, 1
    for length in shape[:-1]:
        count *= length
        total += count
    return total


def _has_more_lists(content: bytes, count: int) -> bool:
    """Return whether a body with at least this count of lists has more."""
    if count > MAX_SEARCHED_LISTS:
        return bool(np.count_nonzero(np.frombuffer(content, np.uint8) == OPENING_BRACKET) > count)
    at = -1
    for _ in range(count + 1):
        at = content.find(b"[", at + 1)
    return at >= 0
