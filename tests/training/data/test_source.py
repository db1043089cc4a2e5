"""Tests of the order of axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.training_data import random_images
from training.data.source import SampleKind, Source, arrange_axes
from training.data.survey import survey_rows
from training.errors import DataError


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((9, 8), (1, 9, 8)), ((3, 9, 8), (3, 9, 8)), ((9, 8, 3), (3, 9, 8)), ((9, 8, 1), (1, 9, 8))],
)
def test_stacks_become_images_with_the_channels_first(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    samples = random_images(20, *shape)
    source = arrange_axes(Source("stack", samples), None)
    assert source.kind == "image"
    assert source.samples.shape[1:] == expected
    channels_last = shape[-1] in (1, 3)
    for before, after in zip(samples, source.samples, strict=True):
        assert after.tobytes() == (before.transpose(2, 0, 1) if channels_last else before).tobytes()


def test_the_second_axis_is_the_channels_if_the_last_could_be_too() -> None:
    with pytest.raises(DataError, match="got 9x3"):
        arrange_axes(Source("stack", random_images(20, 3, 9, 3)), None)


def test_kind_makes_vectors_of_images() -> None:
    source = arrange_axes(Source("stack", random_images()), "vector")
    assert (source.kind, source.samples.shape) == ("vector", (20, 72))


@pytest.mark.parametrize("window", [(24, 3), (288, 1), (16, 8), (2, 3, 4, 5)])
def test_windows_are_flattened_step_by_step(window: tuple[int, ...]) -> None:
    samples = np.random.default_rng(0).normal(size=(5, *window))
    source = arrange_axes(Source("windows", samples), "vector")
    assert source.window == window
    assert not source.is_kind_guessed
    assert source.samples.tolist() == [row.ravel().tolist() for row in samples]  # ravel: the last axis runs fastest


@pytest.mark.parametrize(
    ("samples", "kind", "is_guessed"),
    [
        (np.zeros((9, 16, 8), np.float32), None, True),
        (np.zeros((9, 16, 16), np.int16), None, True),
        (np.zeros((9, 16, 8), np.float32), "image", False),
        (np.zeros((9, 16, 8), np.uint8), None, False),
        (np.zeros((9, 16, 8), bool), None, False),
        (np.zeros((9, 1, 16, 8)), None, False),
        (np.zeros((9, 16)), None, False),
    ],
)
def test_an_array_of_three_axes_is_only_taken_for_images(
    samples: np.ndarray, kind: SampleKind | None, is_guessed: bool
) -> None:
    source = arrange_axes(Source("stack", samples), kind)
    assert source.is_kind_guessed == is_guessed
    assert ("--kind vector" in source.notes.get("axes", "")) == is_guessed


def test_the_test_part_is_arranged_too() -> None:
    source = Source("stack", random_images(), test=Source("test", random_images(4)))
    test = arrange_axes(source, None).test
    assert test is not None
    assert test.samples.shape == (4, 1, 9, 8)


def test_parts_of_different_shapes_are_refused() -> None:
    source = Source("stack", random_images(), test=Source("test", random_images(4, 9, 9)))
    with pytest.raises(
        DataError, match=r"test: its images and those for training differ in size: .*9, 9\] and .*9, 8\]"
    ):
        arrange_axes(source, None)


def test_parts_of_different_types_share_one_that_holds_both() -> None:
    rows = np.arange(20).reshape(10, 2)
    source = arrange_axes(Source("a", rows, test=Source("b", rows[:3] / 1)), None)
    assert source.test is not None
    assert source.samples.dtype == source.test.samples.dtype == np.float64
    assert survey_rows(source, None).digests[:3].tolist() == survey_rows(source.test, None).digests.tolist()


def test_8_bit_images_and_others_are_no_parts_of_one_set() -> None:
    source = Source("a", random_images(), validation=Source("b", random_images() / 255))
    with pytest.raises(DataError, match="b: its images and those for training have different types: float64 and uint8"):
        arrange_axes(source, None)


@pytest.mark.parametrize(
    ("samples", "kind", "complaint"),
    [
        (np.zeros((0, 3)), None, "got none"),
        (np.arange(20), None, r"expected rows of at least two numbers, got shape \(20,\)"),
        (np.array(5), "vector", r"expected rows of at least two numbers, got shape \(\)"),
        (
            np.zeros((9, 8, 8, 8, 1)),
            None,
            r"or 3 or 4 \(images\), got shape \(9, 8, 8, 8, 1\); for windows.* --kind vector",
        ),
        (np.zeros((9, 24, 3)), None, r"got 24x3 \(height x width\); for windows of series.* say --kind vector"),
        (np.zeros((9, 288, 1)), None, r"got 288x1 .* --kind vector"),
        (np.zeros((9, 24, 2, 6)), None, r"channels .* got shape \(9, 24, 2, 6\); .* --kind vector"),
        (np.zeros((9, 1, 1)), "vector", "expected at least 2 columns of numbers, got 1"),
        (np.zeros((20, 1)), None, "expected at least 2 columns of numbers, got 1"),
        (np.full((20, 3), "a"), None, "expected numbers, got the type <U1"),
        (np.ones((20, 3), complex), None, "expected numbers, got the type complex128"),
        (random_images(20, 2, 9, 8), None, r"expected 1 \(grey\) or 3 \(RGB\) channels as second or last axis"),
        (random_images(20, 7, 8), None, "expected images of 8 to 256 pixels a side, got 7x8"),
        (random_images(4, 8, 257), None, "got 8x257"),
        (random_images(20, 9), "image", r"shape \(20, 9\) has no height"),
    ],
)
def test_samples_of_a_wrong_shape_or_type_are_refused(
    samples: np.ndarray, kind: SampleKind | None, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        arrange_axes(Source("stack.npy", samples), kind)
    assert str(caught.value).startswith("stack.npy: ")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Source("x.npy", np.zeros((4, 2))), "x.npy: row 3 (from 0), column 1"),
        (Source("x.csv", np.zeros((4, 2)), feature_names=("a", "b"), first_row=1), 'x.csv: row 4, column "b"'),
        (Source("faces", np.zeros((4, 2)), files=tuple(map(Path, "abcd"))), "d"),
    ],
)
def test_a_place_is_named_as_the_user_counts(source: Source, expected: str) -> None:
    assert source.place(3, 1) == expected
