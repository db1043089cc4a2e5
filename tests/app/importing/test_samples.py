"""The shape of a graph's rows, the options, or both decide what a sample is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.errors import UnfitGraph
from app.importing.layout import OpenShape
from app.importing.request import ImportRequest
from app.importing.samples import read_samples, sample_notes
from app.inputs import ArrayInput, ImageInput, VectorInput

RANGE = {"value_range": (0, 1)}


def request(**options: Any) -> ImportRequest:
    """Return the options of an import."""
    return ImportRequest(Path("e.onnx"), Path("d.onnx"), "mine", **options)


KINDS: list[tuple[OpenShape, dict[str, Any], type, tuple[int, ...], tuple[int, ...]]] = [
    ((60,), {}, VectorInput, (60,), ()),
    ((24, 3), {}, VectorInput, (72,), (24, 3)),
    ((24, 3), RANGE, VectorInput, (72,), (24, 3)),
    ((24, 3), {"shape": (72,)}, VectorInput, (72,), (24, 3)),
    ((24, 3), {"shape": (24, 3)}, VectorInput, (72,), (24, 3)),
    ((None, 3), {"shape": (72,)}, VectorInput, (72,), (24, 3)),
    ((288, 1), {"shape": (288,)}, VectorInput, (288,), ()),
    ((1, 140), {}, VectorInput, (140,), ()),
    ((4, 128), RANGE, VectorInput, (512,), (4, 128)),
    ((28, 28), RANGE, ImageInput, (1, 28, 28), ()),
    ((28, 28), {}, VectorInput, (784,), (28, 28)),
    ((784,), {"shape": (1, 28, 28), **RANGE}, ImageInput, (1, 28, 28), ()),
    ((8, 9, 3), RANGE, ImageInput, (3, 8, 9), ()),
    ((4, 16, 16), {}, ArrayInput, (4, 16, 16), ()),
    ((16, 16, 2), {"layout": "channels-last"}, ArrayInput, (2, 16, 16), ()),
    ((4, 16, 16), {"shape": (1024,)}, VectorInput, (1024,), (4, 16, 16)),
    ((1, 8, 9, 10), RANGE, ArrayInput, (1, 8, 9, 10), ()),
    ((None, None, None, None), {"shape": (1, 8, 9, 10)}, ArrayInput, (1, 8, 9, 10), ()),
]


@pytest.mark.parametrize(("rows", "options", "kind", "shape", "window"), KINDS)
def test_samples_are_vectors_images_or_arrays(
    rows: OpenShape, options: dict[str, Any], kind: type, shape: tuple[int, ...], window: tuple[int, ...]
) -> None:
    samples = read_samples(request(**options), "e.onnx", rows)
    assert isinstance(samples, kind)
    assert samples.shape == shape
    assert (samples.value_range is None) == ("value_range" not in options)
    assert getattr(samples, "window", ()) == window


def test_deeper_arrays_are_flat_rows() -> None:
    shape = (2, 3, 2, 3, 2)
    with pytest.raises(UnfitGraph, match=r"at most 4 axes, got .*: pass --shape 72 for flat rows"):
        read_samples(request(), "e.onnx", shape)
    assert read_samples(request(shape=(72,)), "e.onnx", shape).shape == (72,)


def test_a_choice_between_pictures_and_series_is_reported() -> None:
    grey = request(**RANGE)
    assert "if they are series, pass --shape 784" in sample_notes(grey, read_samples(grey, "e", (28, 28)), (28, 28))[0]
    rows = request()
    assert "if they are grey images, pass --range" in sample_notes(rows, read_samples(rows, "e", (28, 28)), (28, 28))[0]
    assert sample_notes(rows, read_samples(rows, "e", (24, 3)), (24, 3)) == []
    assert sample_notes(grey, read_samples(grey, "e", (1, 28, 28)), (1, 28, 28)) == []


def test_images_without_a_range_are_told_of_both_ways() -> None:
    with pytest.raises(UnfitGraph, match=r"such as --range 0 1; for numbers without a range, pass --shape 192"):
        read_samples(request(), "e.onnx", (3, 8, 8))
