"""
Numbers from 0 to 1 as JSON, with nine decimals each: pixels, of which large answers are mostly made.

A number in so few digits that they restore it takes some thirty nanoseconds to find them, and an answer holds ten
thousands of numbers. With as many decimals for each, all are written at once: a number of nine digits is three words of
four characters, which stand in tables. Nine decimals tell a number within 5e-10, a hundredth of the step between
float32 numbers below 1; what is 2**-7 or more they restore exactly.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Text = npt.NDArray[np.uint8]
"""Characters."""

TEN_MILLION, THOUSAND = np.uint32(10_000_000), np.uint32(1000)
CLOSE = ord("]")
NUMBER = 12
"""Characters of a number and the comma behind it."""
BLOCK = 32 * 1024
"""Numbers written at once, so that what is between stays in the processor's cache."""


def _words(texts: list[bytes]) -> npt.NDArray[np.uint32]:
    return np.frombuffer(b"".join(texts), np.uint32)


HEADS = _words([b"%d.%02d" % divmod(number, 100) for number in range(101)])
MIDDLES = _words([b"%04d" % number for number in range(10_000)])
TAILS = _words([b"%03d," % number for number in range(1000)])


def write_decimals(rows: Array) -> bytes | None:
    """
    Nested lists of a shape (N, …), as JSON; None where a number is not from 0 to 1, or where there is none.

    Each number is rounded to the nearest multiple of 1e-9.
    """
    if not (rows.size and rows.ndim > 1 and rows.min() >= 0 and rows.max() <= 1):  # false of NaN too
        return None
    shape = rows.shape[1:]
    frame = np.frombuffer(_frame(shape), np.uint8)
    text = np.empty((len(rows), len(frame)), np.uint8)
    step = max(1, BLOCK // math.prod(shape))
    for start in range(0, len(rows), step):
        block = text[start : start + step]
        block[:] = frame
        _places(block, shape)[...] = _digits(rows[start : start + step])
    text[-1, -1] = CLOSE  # in place of the comma behind the last row
    return b"[" + text.tobytes()


@lru_cache(maxsize=64)
def _frame(shape: tuple[int, ...]) -> bytes:
    """A row of zeros and the comma behind it: "[0.000000000,0.000000000],"."""
    if not shape:
        return b"0.000000000,"
    return b"[" + (_frame(shape[1:]) * shape[0])[:-1] + b"],"


def _places(text: Text, shape: tuple[int, ...]) -> Text:
    """Where the numbers of rows stand, as a view. Shapes: (N, characters of a row) to (N, *shape, NUMBER)"""
    for length in shape:
        text = text[..., 1:-1].reshape(*text.shape[:-1], length, -1)
    return text


def _digits(rows: Array) -> Text:
    """Each number with what is behind it: a comma, after the last of a list a bracket. Shape: (*rows.shape, NUMBER)"""
    billionths = np.multiply(rows, 1e9, dtype=np.float64)
    left = np.rint(billionths, out=billionths).astype(np.uint32)  # dividing these is five times faster than int64
    head = left // TEN_MILLION
    left -= head * TEN_MILLION
    middle = left // THOUSAND
    left -= middle * THOUSAND
    words = np.empty((*rows.shape, 3), np.uint32)
    index = np.empty(rows.shape, np.intp)  # what `take` would make of others, each time anew
    for place, (table, number) in enumerate(((HEADS, head), (MIDDLES, middle), (TAILS, left))):
        index[...] = number
        words[..., place] = table.take(index)
    text = words.view(np.uint8)
    text[..., -1, -1] = CLOSE
    return text
