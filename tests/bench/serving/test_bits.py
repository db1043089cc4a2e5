"""The effect of the batch size on a row's result."""

from __future__ import annotations

import numpy as np

from bench.serving.bits import largest_difference

ROWS = np.ones((64, 2), np.float32)


def test_a_function_of_each_row_does_not_depend_on_the_batch() -> None:
    assert largest_difference(np.square, ROWS) == 0


def test_the_largest_difference_is_that_of_the_smallest_batch() -> None:
    assert largest_difference(lambda rows: rows + np.float32(len(rows)), ROWS) == 63
