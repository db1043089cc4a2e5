"""
Write JSON answers, with nine decimals for large arrays of numbers from 0 to 1: the pixels of images.

Finding the fewest digits that restore a float32 takes some thirty nanoseconds per number, and an answer has tens of
thousands of numbers. If each has nine decimals, numpy writes all of them at once: a number and its comma are three
words of four characters, which are looked up in tables. Nine decimals are accurate to 5e-10, a hundredth of the step
between float32 numbers just below 1; numbers from 2**-6 on are restored exactly.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from app.arrays import Array

Text = npt.NDArray[np.uint8]
"""An array of ASCII characters."""

MIN_DECIMAL_NUMBERS = 3000
"""
Arrays of fewer numbers are written faster by orjson. Measured for 28x28 images on one core of a shared machine, the
fastest of 15 rounds, orjson against nine decimals, in µs: one image 15 / 24, two 28 / 29, three 41 / 39, four 77 / 40,
eight 109 / 79, 32 607 / 197.
"""
TEN_MILLION, THOUSAND = np.uint32(10_000_000), np.uint32(1000)
OPENING_BRACKET, CLOSING_BRACKET = ord("["), ord("]")
CHARACTERS_PER_NUMBER = 12
"""Characters of a number and the comma after it."""
BLOCK_NUMBERS = 32 * 1024
"""Numbers that are written at once. Their intermediate arrays fit the processor's cache."""


def _words(texts: list[bytes]) -> npt.NDArray[np.uint32]:
    return np.frombuffer(b"".join(texts), np.uint32)


HEADS = _words([b"%d.%02d" % divmod(number, 100) for number in range(101)])
MIDDLES = _words([b"%04d" % number for number in range(10_000)])
TAILS = _words([b"%03d," % number for number in range(1000)])


def write_object(members: dict[str, Any]) -> bytes:
    """
    Return a JSON object whose values may be arrays, or results of `decimals`.

    Numbers of float32 arrays get the fewest digits that restore them.
    """
    return orjson.dumps(members, option=orjson.OPT_SERIALIZE_NUMPY)


def decimals(rows: Array) -> Any:
    """Return an array for `write_object`, as text with nine decimals if that is faster and all are in [0, 1]."""
    text = write_decimals(rows) if rows.size >= MIN_DECIMAL_NUMBERS else None
    return np.ascontiguousarray(rows) if text is None else orjson.Fragment(text)


def write_decimals(rows: Array) -> bytes | None:
    """
    Return an array of shape (B, …) as JSON lists, nested unless it is flat; None if any number is outside [0, 1].

    Each number is rounded to the nearest multiple of 1e-9.
    """
    if not (rows.size and rows.ndim and rows.min() >= 0 and rows.max() <= 1):  # False for NaN, too
        return None
    shape = rows.shape[1:]
    frame = np.frombuffer(_frame(shape), np.uint8)
    content = np.empty(1 + len(rows) * len(frame), np.uint8)
    content[0] = OPENING_BRACKET
    text = content[1:].reshape(len(rows), len(frame))
    step = max(1, BLOCK_NUMBERS // math.prod(shape))
    for start in range(0, len(rows), step):
        block = text[start : start + step]
        block[:] = frame
        _number_places(block, shape)[...] = _digits(rows[start : start + step])
    text[-1, -1] = CLOSING_BRACKET  # replaces the comma after the last row
    return content.tobytes()


@lru_cache(maxsize=64)
def _frame(shape: tuple[int, ...]) -> bytes:
    """Return a row of zeros and the comma after it: "[0.000000000,0.000000000],"."""
    if not shape:
        return b"0.000000000,"
    return b"[" + (_frame(shape[1:]) * shape[0])[:-1] + b"],"


def _number_places(text: Text, shape: tuple[int, ...]) -> Text:
    """
    Return a view of the characters of the numbers, without the brackets around them.

    Shapes: (B, characters of a row) -> (B, *shape, CHARACTERS_PER_NUMBER)
    """
    for length in shape:
        text = text[..., 1:-1].reshape(*text.shape[:-1], length, -1)
    return text


def _digits(rows: Array) -> Text:
    """
    Return the characters of each number and the one after it: a comma, or a bracket after the last number of a list.

    Shape: (*rows.shape, CHARACTERS_PER_NUMBER)
    """
    billionths = np.multiply(rows, 1e9, dtype=np.float64)
    rest = np.rint(billionths, out=billionths).astype(np.uint32)  # dividing uint32 is five times faster than int64
    head = rest // TEN_MILLION
    rest -= head * TEN_MILLION
    middle = rest // THOUSAND
    rest -= middle * THOUSAND
    words = np.empty((*rows.shape, 3), np.uint32)
    index = np.empty(rows.shape, np.intp)  # `take` would convert each uint32 index array to a new one
    for place, (table, number) in enumerate(((HEADS, head), (MIDDLES, middle), (TAILS, rest))):
        index[...] = number
        words[..., place] = table.take(index)
    text = words.view(np.uint8)
    if rows.ndim > 1:
        text[..., -1, -1] = CLOSING_BRACKET
    return text
