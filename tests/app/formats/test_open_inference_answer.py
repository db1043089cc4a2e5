"""Answers of the Open Inference Protocol hold their numbers: pixels with nine decimals, all others to the bit."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from app.formats.json_answer import MIN_DECIMAL_NUMBERS
from app.formats.open_inference_answer import write_answer


@given(
    array=arrays(
        np.float32,
        array_shapes(max_side=3),
        elements=st.floats(-(2**90), 2**90, width=32, allow_subnormal=False),
    ),
    binary=st.booleans(),
)
def test_answers_hold_their_numbers(array: npt.NDArray[np.float32], binary: bool) -> None:
    other = np.array([0.5, -1], np.float32)
    content, length = write_answer(
        {"model_name": "m", "id": "7"}, [("z", array.T, binary), ("e", other, False)], print, None
    )
    document = json.loads(content[:length])
    assert (document["model_name"], document["id"]) == ("m", "7")
    first, second = document["outputs"]
    assert (first["name"], first["datatype"], first["shape"]) == ("z", "FP32", list(array.T.shape))
    assert second == {"name": "e", "datatype": "FP32", "shape": [2], "data": [0.5, -1]}
    if binary:
        assert first["parameters"] == {"binary_data_size": array.nbytes}
        assert "data" not in first
        assert length is not None
        numbers = np.frombuffer(content[length:], "<f4")
    else:
        assert length is None
        numbers = np.array(first["data"], np.float32)
    np.testing.assert_array_equal(numbers, array.T.ravel())


def test_pixels_have_nine_decimals_in_one_flat_list() -> None:
    pixels = np.random.default_rng(5).random((5, 1, 28, 28), np.float32)
    assert pixels.size > MIN_DECIMAL_NUMBERS
    content, _ = write_answer({}, [("samples", pixels, False)], print, (1, 28, 28))
    text = content[content.index(b"[0.") + 1 : content.rindex(b"]}]")].split(b",")
    assert {len(number) for number in text} == {len("0.123456789")}
    np.testing.assert_allclose([float(number) for number in text], pixels.ravel(), rtol=0, atol=5.001e-10)


def test_arrays_of_another_shape_are_restored_to_the_bit() -> None:
    rows = np.random.default_rng(5).random((5, 28 * 28), np.float32) * np.float32(1e-3)
    content, _ = write_answer({}, [("latents", rows, False)], print, (1, 28, 28))
    numbers = json.loads(content)["outputs"][0]["data"]
    np.testing.assert_array_equal(np.array(numbers, np.float32), rows.ravel())
