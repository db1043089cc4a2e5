"""
The inputs of models, as the manifest describes them: what one sample is, in which units, and in which range.

`app.manifest` is the contract as a whole; these are its parts about samples.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

Dimension = Annotated[int, Field(ge=1)]
RangeOrigin = Literal["stated", "found"]
"""
The source of a value range.

A stated range is a law: numbers beyond it are refused. A found range is that of the training samples: numbers beyond it
are clipped, as held-out samples are in training.
"""


class Contract(
    BaseModel, extra="forbid", frozen=True, allow_inf_nan=False, json_schema_serialization_defaults_required=True
):
    """A frozen part of the manifest that refuses unknown members and numbers that JSON cannot hold."""


class ValueRange(Contract):
    """The closed interval that every number of a sample lies in, in the user's units."""

    low: float
    high: float

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got [{self.low:g}, {self.high:g}]")
        return self

    @property
    def span(self) -> float:
        """The length of the interval. Amounts of noise are in units of it."""
        return self.high - self.low


class ImageInput(Contract):
    """Samples are images. The levels of an image file map linearly to `levels`."""

    kind: Literal["image"] = "image"
    shape: Annotated[tuple[Dimension, ...], Field(min_length=3, max_length=3)]
    """(channels, height, width)"""
    channel_order: Literal["channels-first"] = "channels-first"
    value_range: ValueRange
    range_origin: RangeOrigin = "stated"
    levels: ValueRange | None = None
    """The numbers that the lowest and the highest level of an image file stand for; None: the ends of `value_range`."""
    bits: Literal[8, 16] = 8
    """Bits per channel of the image files of the training data, and so of the images in answers."""
    background: tuple[Annotated[int, Field(ge=0, le=255)], ...] = ()
    """The colour under transparent pixels, one number per channel of an 8-bit file; empty: black."""

    @model_validator(mode="after")
    def _grey_or_rgb(self) -> Self:
        if self.shape[0] not in (1, 3):
            raise ValueError(f"an image has 1 (grey) or 3 (RGB) channels, got {self.shape[0]}")
        if self.background and len(self.background) != self.shape[0]:
            raise ValueError(f"{self.shape[0]} channels, but {len(self.background)} numbers in background")
        return self


class VectorInput(Contract):
    """Samples are rows of a table, or flattened windows of series."""

    kind: Literal["vector"] = "vector"
    shape: Annotated[tuple[Dimension, ...], Field(min_length=1, max_length=1)]
    """(features,)"""
    value_range: ValueRange | None = None
    """None: any finite number."""
    range_origin: RangeOrigin = "stated"
    feature_names: tuple[str, ...] = ()
    """Names in the order of the columns; empty if they have none."""
    one_hot: dict[str, tuple[str, ...]] = {}
    """The values of each column of text, whose features are named `column=value`, in the order of the features."""
    booleans: dict[str, Annotated[tuple[str, ...], Field(min_length=2, max_length=2)]] = {}
    """The words, in lower case, that stand for 0 and 1 in each column of such words, as `no` and `yes`."""
    fill: tuple[float, ...] = ()
    """The numbers that stand in for missing ones, one per feature; empty: missing numbers are refused."""
    window: tuple[Dimension, ...] = ()
    """The shape of a sample before it was flattened, such as (steps, channels); empty: it was flat."""

    @model_validator(mode="after")
    def _features_have_one_name_each(self) -> Self:
        if self.feature_names and len(self.feature_names) != self.shape[0]:
            raise ValueError(f"{self.shape[0]} features, but {len(self.feature_names)} feature names")
        if self.fill and len(self.fill) != self.shape[0]:
            raise ValueError(f"{self.shape[0]} features, but {len(self.fill)} numbers in fill")
        if self.window and math.prod(self.window) != self.shape[0]:
            raise ValueError(f"{self.shape[0]} features, but a window of {math.prod(self.window)} numbers")
        expected = {f"{column}={value}" for column, values in self.one_hot.items() for value in values}
        if missing := sorted(expected - set(self.feature_names)):
            raise ValueError(f"one_hot: {missing[0]!r} is not a feature")
        if missing := sorted(self.booleans.keys() - set(self.feature_names)):
            raise ValueError(f"booleans: {missing[0]!r} is not a feature")
        return self


class ArrayInput(Contract):
    """Samples are arrays of numbers that are not pictures, such as volumes or images of four channels."""

    kind: Literal["array"] = "array"
    shape: Annotated[tuple[Dimension, ...], Field(min_length=1)]
    value_range: ValueRange | None = None
    """None: any finite number."""
    range_origin: RangeOrigin = "stated"


ModelInput = Annotated[ImageInput | VectorInput | ArrayInput, Field(discriminator="kind")]
