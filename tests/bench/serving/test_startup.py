"""Answers are compared with onnxruntime's before anything is timed."""

from __future__ import annotations

import numpy as np
import pytest

from bench.serving.loads import WrongAnswer
from bench.serving.startup import compare
from tests.helpers.bench import PAIRS


def test_rounding_errors_are_accepted() -> None:
    compare(PAIRS * np.float32(1.0005), PAIRS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (PAIRS[:1], r"shape \(1, 2\), expected \(32, 2\)"),
        (PAIRS + np.float32(0.5), r"differs from onnxruntime by 0\.5"),
        (PAIRS * np.float32("nan"), "differs from onnxruntime by nan"),
    ],
)
def test_wrong_rows_are_rejected(rows: np.ndarray, message: str) -> None:
    with pytest.raises(WrongAnswer, match=message):
        compare(rows, PAIRS)
