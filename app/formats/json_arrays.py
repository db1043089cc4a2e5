"""
JSON numbers to a float32 array and back, with an error text for each thing that can be wrong.

simdjson reads what is right, straight into an array. Whatever it does not take goes to orjson, whose lists of Python
numbers tell what is wrong: that is four times slower, and happens where the answer is an error, or where simdjson has
no build for this Python.
"""

from __future__ import annotations

import threading
from contextvars import Context
from itertools import islice
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import orjson

try:
    import simdjson

    DIRECT = True
except ImportError:  # no build for this Python: slower, and the same answers
    DIRECT = False

from app.errors import BodyTooLarge, EmptyBatch, InvalidInput, MalformedBody, NotFinite, NotNumbers, RaggedRows
from app.formats.decimals import write_decimals

Array = npt.NDArray[np.float32]

NAMES = {bool: "a boolean", str: "a string", dict: "an object", type(None): "null", list: "a list"}
KEPT = 512 * 1024
"""Bytes of the largest body whose parser is kept, one a thread: getting its memory anew takes as long as reading."""
OPENING = np.uint8(ord("["))
MOST_NUMBERS = 1_500_000
MOST_LISTS = 200_000
MOST_OBJECTS = 1000
MOST_QUOTES = 1000
"""
In a body of more than `KEPT` bytes. A number takes up to 60 bytes on its way, a list, a string or an object as many, so
that 16 MiB of the shortest of them would take hundreds of megabytes and tens of seconds.
"""
FEW_LISTS = 16
"""Brackets that are found one by one sooner than by a look at every byte."""
MAX_DEPTH = 8
"""Deeper nesting is no array of anything that is served."""


class _Thread(threading.local):
    """What each thread reads with, made when it first reads."""

    def __init__(self) -> None:
        self.parser: Any = simdjson.Parser() if DIRECT else None
        self.quiet = Context()
        """Where numpy does not warn of numbers that are too large for float32: `np.errstate` takes longer to enter."""
        self.quiet.run(np.seterr, over="ignore")


_thread = _Thread()


def read_rows(content: bytes, member: str) -> Array:
    """
    The array under the one member of a JSON object, such as {"samples": [[0, 0.5], [1, 0]]}.

    Raises MalformedBody, BodyTooLarge, NotFinite, NotNumbers, EmptyBatch, RaggedRows or InvalidInput.
    """
    if len(content) > KEPT:
        _bound(content)
        if content.count(b'"') > MOST_QUOTES:
            raise NotNumbers(f"{member}: expected numbers, got strings, more than {MOST_QUOTES // 2} of them")
    rows = _read_directly(content, member) if DIRECT else None
    return _read_carefully(content, member) if rows is None else rows


def read_document(content: bytes, member: str) -> Any:
    """
    A JSON document, in which nested lists of numbers under a member of this name, wherever it stands, may be float64
    arrays: those of one length at each depth are, where simdjson takes the document.

    Raises MalformedBody, BodyTooLarge or NotFinite.
    """
    _bound(content)
    document = _read_document_directly(content, member) if DIRECT else None
    return load(content, "{...}") if document is None else document


def _bound(content: bytes) -> None:
    """Refuse a large body that would take much more memory or time than its bytes, before either is spent."""
    if len(content) <= KEPT:
        return
    for character, name, most in (
        (b",", "numbers or members", MOST_NUMBERS),
        (b"[", "lists", MOST_LISTS),
        (b"{", "objects", MOST_OBJECTS),
    ):
        if content.count(character) > most:
            raise BodyTooLarge(
                f"expected JSON of at most {most} {name}, got more; send fewer rows at once, flat rows, or bytes"
            )


def _read_directly(content: bytes, member: str) -> Array | None:
    """The array, without a Python object for a number; None where anything is not as it should be."""
    if content[:1] == b"\xef":  # simdjson would pass over a byte order mark, which is not JSON
        return None
    try:
        parser = simdjson.Parser() if len(content) > KEPT else _thread.parser
        body: Any = parser.parse(content)
        values = body[member]
        if len(body) != 1:
            return None
        if len(values) == 1 and isinstance(values[0], simdjson.Array) and not _has_more_lists(content, 2):
            shape: tuple[int, ...] | None = (1, -1)  # one flat row, of which there is nothing more to be found out
        else:
            shape = _shape(values)
            if shape is None or _has_more_lists(content, _lists(shape)):
                return None
        numbers = np.frombuffer(values.as_buffer(of_type="d"))  # raises of anything that is not a number
        rows: Array = _thread.quiet.run(numbers.astype, np.float32).reshape(shape)
        return rows
    except (ValueError, TypeError, KeyError, RuntimeError, AttributeError):
        return None


def _read_document_directly(content: bytes, member: str) -> Any:
    """The document; None where an array under the member is not as it should be, or anything else is not."""
    if content[:1] == b"\xef":
        return None
    lists = 0

    def plain(value: Any, name: str = "") -> Any:
        nonlocal lists
        if isinstance(value, simdjson.Object):
            members = {name: plain(value[name], name) for name in value.keys()}  # noqa: SIM118 - it has no other way
            if len(members) != len(value):
                raise ValueError("a member twice")
            return members
        if not isinstance(value, simdjson.Array):
            return value
        shape = _shape(value) if name == member else None
        if shape is None:
            lists += 1
            return [plain(inner) for inner in value]
        lists += _lists(shape)
        return np.frombuffer(value.as_buffer(of_type="d")).reshape(shape)

    try:
        parser = simdjson.Parser() if len(content) > KEPT else _thread.parser
        document = plain(parser.parse(content))
    except (ValueError, TypeError, KeyError, RuntimeError, AttributeError):
        return None
    return document if np.count_nonzero(np.frombuffer(content, np.uint8) == OPENING) == lists else None


def _shape(rows: Any, depth: int = 0) -> tuple[int, ...] | None:
    """The shape of nested lists of one length at each depth, None of others. Nothing says what the innermost hold."""
    if not len(rows):
        return None
    first = rows[0]
    if not isinstance(first, simdjson.Array):
        return (len(rows),)
    inner = _shape(first, depth + 1) if depth < MAX_DEPTH else None
    if inner is None:
        return None
    if len(inner) == 1:
        alike = {len(row) for row in rows} == {inner[0]}
    else:  # each list is looked at once: the first one was
        alike = all(_shape(row, depth + 1) == inner for row in islice(rows, 1, None))
    return (len(rows), *inner) if alike else None


def _lists(shape: tuple[int, ...]) -> int:
    """How many lists an array of this shape is made of: if a body has no more, the innermost hold no lists."""
    count, total = 1, 1
    for length in shape[:-1]:
        count *= length
        total += count
    return total


def _has_more_lists(content: bytes, lists: int) -> bool:
    """Whether a body that has so many lists has others too."""
    if lists > FEW_LISTS:
        return bool(np.count_nonzero(np.frombuffer(content, np.uint8) == OPENING) > lists)
    at = -1
    for _ in range(lists):
        at = content.find(b"[", at + 1)
    return content.find(b"[", at + 1) >= 0


def load(content: bytes, example: str) -> Any:
    """A JSON document as Python objects; errors show the example. Raises MalformedBody, BodyTooLarge or NotFinite."""
    _bound(content)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if any(word in content for word in (b"NaN", b"Infinity")):
            raise NotFinite("expected finite numbers, got NaN or Infinity, which JSON has not") from error
        raise MalformedBody(f"expected JSON such as {example}, but: {error}") from error


def _read_carefully(content: bytes, member: str) -> Array:
    body = load(content, f'{{"{member}": [[0.5, 0]]}}')
    if not isinstance(body, dict):
        raise InvalidInput(f'expected an object {{"{member}": [...]}}, got {describe(body)}')
    if body.keys() != {member}:
        got = ", ".join(map(repr, body)) or "none"
        raise InvalidInput(f"expected the one member {member!r}, got {got}; options go into the query")
    return to_array(body[member], member)


def to_array(rows: Any, member: str) -> Array:
    """Nested lists of numbers as a float32 array; each depth must have lists of one length."""
    with np.errstate(over="ignore"):  # too large becomes infinite, which the engine refuses
        return to_numbers(rows, member).astype(np.float32)


def to_numbers(rows: Any, member: str) -> npt.NDArray[Any]:
    """Nested lists of numbers as an array of the type that holds them; each depth must have lists of one length."""
    if not isinstance(rows, list):
        raise InvalidInput(f"{member}: expected a list of rows, got {describe(rows)}")
    if not rows:
        raise EmptyBatch(f"{member}: expected at least one row, got none")
    try:
        array = np.array(rows)
    except ValueError:
        array = None
    if array is None or array.dtype.kind not in "iuf" or _holds_boolean(rows):
        _explain(rows, member)
    return array


def write_object(members: dict[str, Any]) -> bytes:
    """
    A JSON object whose values may be arrays, or what `decimals` made of one.

    Numbers of float32 arrays get the fewest digits that restore them.
    """
    return orjson.dumps(members, option=orjson.OPT_SERIALIZE_NUMPY)


def decimals(rows: Array) -> Any:
    """An array for `write_object`: with nine decimals, where all its numbers are from 0 to 1."""
    text = write_decimals(rows)
    return np.ascontiguousarray(rows) if text is None else orjson.Fragment(text)


def describe(value: Any) -> str:
    """What a JSON value is, in a user's words."""
    return NAMES.get(type(value), "a number")


def _holds_boolean(rows: Any) -> bool:
    """Numpy takes true for 1 where numbers stand beside it."""
    if isinstance(rows, list):
        return any(map(_holds_boolean, rows)) if rows and isinstance(rows[0], list) else bool in set(map(type, rows))
    return isinstance(rows, bool)


def _explain(rows: list[Any], member: str) -> NoReturn:
    """Raise the error that says why these rows are no array of numbers."""
    expected: dict[int, tuple[int, list[int]]] = {}
    """By depth: the length that the first list there has, -1 for a number, and where it is."""

    def visit(values: list[Any], at: list[int]) -> None:
        depth = len(at) + 1
        numbers = depth in expected and expected[depth][0] == -1
        for index, value in enumerate(values):
            if type(value) is float or type(value) is int:
                if numbers:
                    continue
                length = -1
            elif not isinstance(value, list):
                raise NotNumbers(f"{member}: expected numbers, got {describe(value)} at {[*at, index]}")
            elif depth > MAX_DEPTH:
                raise RaggedRows(f"{member}: nested more than {MAX_DEPTH} deep at {[*at, index]}")
            else:
                length = len(value)
            if depth not in expected:
                expected[depth] = (length, [*at, index])
                numbers = length == -1
            elif expected[depth][0] != length:
                _tell_ragged(member, [*at, index], length, *expected[depth])
            if length >= 0:
                visit(value, [*at, index])

    visit(rows, [])
    raise NotFinite(f"{member}: expected numbers that fit float32, got a larger one")


def _tell_ragged(member: str, at: list[int], got: int, expected: int, first: list[int]) -> NoReturn:
    """Raise the error of a list whose length is not that of the first of its depth; -1 is the length of a number."""
    if got == -1:
        raise RaggedRows(f"{member}: expected a list at {at} as at {first}, got a number")
    if expected == -1:
        raise RaggedRows(f"{member}: expected a number at {at} as at {first}, got a list")
    raise RaggedRows(f"{member}: expected {expected} numbers or lists at {at} as at {first}, got {got}")
