"""The inputs that a manifest may describe."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.inputs import ArrayInput, ImageInput, ModelInput, ValueRange, VectorInput

UNIT = {"low": 0, "high": 1}
READER: TypeAdapter[Any] = TypeAdapter(ModelInput)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"kind": "image", "shape": [1, 8, 9], "value_range": UNIT},
            ImageInput(shape=(1, 8, 9), value_range=ValueRange(low=0, high=1)),
        ),
        ({"kind": "vector", "shape": [3]}, VectorInput(shape=(3,))),
        ({"kind": "array", "shape": [4, 8, 8, 8]}, ArrayInput(shape=(4, 8, 8, 8))),
    ],
)
def test_the_kind_chooses_the_input(document: dict[str, Any], expected: object) -> None:
    assert READER.validate_python(document) == expected


def test_members_that_format_1_lacks_mean_what_they_meant_there() -> None:
    image = ImageInput(shape=(3, 8, 8), value_range=ValueRange(low=0, high=255))
    assert (image.range_origin, image.levels, image.bits, image.background) == ("stated", None, 8, ())
    vector = VectorInput(shape=(2,))
    assert (vector.range_origin, vector.one_hot, vector.window, vector.fill) == ("stated", {}, (), ())
    assert vector.booleans == {}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"kind": "image", "shape": [2, 8, 8], "value_range": UNIT}, "1 .grey. or 3 .RGB. channels, got 2"),
        ({"kind": "image", "shape": [1, 8, 8], "value_range": {"low": 1, "high": 1}}, "low must be below high"),
        (
            {"kind": "image", "shape": [3, 8, 8], "value_range": UNIT, "background": [255]},
            "3 channels, but 1 numbers in background",
        ),
        ({"kind": "image", "shape": [1, 8, 8], "value_range": UNIT, "background": [256]}, "less than or equal to 255"),
        ({"kind": "image", "shape": [1, 8, 8], "value_range": UNIT, "bits": 12}, "8 or 16"),
        ({"kind": "vector", "shape": [2], "feature_names": ["a"]}, "2 features, but 1 feature names"),
        ({"kind": "vector", "shape": [2], "fill": [0.5]}, "2 features, but 1 numbers in fill"),
        ({"kind": "vector", "shape": [6], "window": [2, 4]}, "6 features, but a window of 8 numbers"),
        (
            {"kind": "vector", "shape": [2], "feature_names": ["a", "k=x"], "one_hot": {"k": ["x", "y"]}},
            "one_hot: 'k=y' is not a feature",
        ),
        (
            {"kind": "vector", "shape": [1], "feature_names": ["a"], "booleans": {"b": ["no", "yes"]}},
            "booleans: 'b' is not a feature",
        ),
        ({"kind": "array", "shape": []}, "at least 1 item"),
        ({"kind": "vector", "shape": [2], "background": [0]}, "not permitted"),
    ],
)
def test_an_impossible_input_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        READER.validate_python(document)
