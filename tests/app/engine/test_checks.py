"""Checks of rows and labels: wrong ones are refused with what was expected and what arrived."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.engine.checks import (
    RowCheck,
    accepted_shapes,
    adjust_samples,
    check_finite,
    check_labels,
    has_features,
    label_rows,
    missing_fill,
)
from app.errors import InvalidParameter, NotFinite, OutOfRange, WrongShape
from app.inputs import ImageInput, ValueRange, VectorInput
from app.manifest import Manifest
from tests.helpers import tiny

UNIT, SIGNED, HIGH, TENTH = (0.0, 1.0), (-1.0, 1.0), (0.5, 1.0), (0.0, 0.1)


def checked(number: float, bounds: tuple[float, float] | None, dtype: Any = np.float32) -> float:
    """Return a number after a check of it among others."""
    middle = 0.0 if bounds is None else (bounds[0] + bounds[1]) / 2
    value_range = None if bounds is None else ValueRange(low=bounds[0], high=bounds[1])
    rows = np.array([[middle, number, middle]], dtype)
    number_after: float = RowCheck("samples", [(3,)], value_range)(rows)[0, 1].item()
    return number_after


@pytest.mark.parametrize(
    ("number", "bounds"),
    [
        (0.0, UNIT),
        (-0.0, UNIT),
        (1.0, UNIT),
        (1e-45, UNIT),
        (-1.0, SIGNED),
        (1.0, SIGNED),
        (0.5, HIGH),
        (0.1, TENTH),  # as float32 it is 0.100000001, and so is the end of the range
        (-1e38, None),
    ],
)
def test_numbers_within_the_range_pass_unchanged(number: float, bounds: tuple[float, float] | None) -> None:
    assert checked(number, bounds) == np.float32(number)


@pytest.mark.parametrize(
    ("number", "bounds"),
    [
        (1.0000001, UNIT),
        (-1e-45, UNIT),
        (-1.0, UNIT),
        (-1.0000001, SIGNED),
        (0.25, HIGH),  # its bits lie between those of 0 and of 1
        (0.10000001, TENTH),
        (3e38, UNIT),
    ],
)
def test_numbers_outside_the_range_are_refused(number: float, bounds: tuple[float, float]) -> None:
    with pytest.raises(OutOfRange, match="expected numbers from"):
        checked(number, bounds)


@pytest.mark.parametrize("number", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("bounds", [UNIT, SIGNED, None])
def test_nan_and_infinity_are_refused_with_their_position(number: float, bounds: tuple[float, float] | None) -> None:
    with pytest.raises(NotFinite, match=r"at \[0, 1\]"):
        checked(number, bounds)


def test_numbers_of_another_dtype_are_checked_too() -> None:
    assert checked(0.5, UNIT, np.float64) == 0.5
    with pytest.raises(OutOfRange):
        checked(1.5, UNIT, np.float64)


def test_rows_take_the_first_accepted_shape_as_contiguous_float32() -> None:
    rows = RowCheck("samples", [(1, 2, 2), (4,)], None)(np.arange(8, dtype=np.float32).reshape(4, 2).T)
    assert rows.shape == (2, 1, 2, 2)
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    assert rows[1].ravel().tolist() == [1, 3, 5, 7]
    with pytest.raises(WrongShape, match=r"expected shape \[rows, 1, 2, 2\] or \[rows, 4\], got \[2, 3\]"):
        RowCheck("samples", [(1, 2, 2), (4,)], None)(np.zeros((2, 3), np.float32))


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        (tiny.IMAGE, [(1, 2, 2), (4,), (2, 2)]),
        (ImageInput(shape=(3, 2, 2), value_range=ValueRange(low=0, high=1)), [(3, 2, 2), (12,)]),
        (tiny.TABLE, [(4,)]),
        (VectorInput(shape=(4,), window=(2, 2)), [(4,), (2, 2)]),
        (VectorInput(shape=(4,), window=(4, 1)), [(4,), (4, 1)]),
    ],
    ids=["grey image", "colour image", "table", "windows", "windows of one channel"],
)
def test_samples_may_be_flat_lack_their_only_channel_or_be_windows(
    tmp_path: Path, kind: ImageInput | VectorInput, shapes: list[tuple[int, ...]]
) -> None:
    assert accepted_shapes(Manifest.read(tiny.write_mirror(tmp_path, "mirror", kind))) == shapes


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_result_that_json_cannot_hold_is_refused(number: float) -> None:
    whole = np.ones((2, 2), np.float32)
    assert check_finite("latents", whole) is whole
    with pytest.raises(NotFinite, match="lead to infinite latents"):
        check_finite("latents", np.array([[0, number]], np.float32))


@pytest.fixture(scope="module")
def conditional(conditional_models: Path) -> Manifest:
    """Return the manifest of a model with three labels."""
    return Manifest.read(conditional_models / "table" / "1")


@pytest.fixture(scope="module")
def plain(conditional_models: Path) -> Manifest:
    """Return the manifest of a model without labels."""
    return Manifest.read(conditional_models / "plain" / "1")


def test_a_label_becomes_its_index_in_each_row(conditional: Manifest, plain: Manifest) -> None:
    indices = label_rows(conditional, "high", 3)
    assert indices is not None
    assert indices.tolist() == [2, 2, 2]
    assert indices.dtype == np.int64
    assert label_rows(plain, None, 3) is None


def test_a_label_that_does_not_fit_the_model_is_refused(conditional: Manifest, plain: Manifest) -> None:
    known = "expected label to be one of low, middle & up, high"
    with pytest.raises(InvalidParameter, match=f"'table' is conditional: {known}$"):
        label_rows(conditional, None, 1)
    with pytest.raises(InvalidParameter, match=f"{known}, got 'Low'$"):
        label_rows(conditional, "Low", 1)
    with pytest.raises(InvalidParameter, match="'plain' is not conditional: expected no label, got 'low'"):
        label_rows(plain, "low", 1)


def test_a_long_list_of_labels_is_shortened(tmp_path: Path) -> None:
    labels = tuple(f"kind{number}" for number in range(300))
    manifest = Manifest.read(tiny.write_version(tmp_path, kind=tiny.TABLE, labels=labels))
    with pytest.raises(InvalidParameter, match=r"one of kind0, kind1, .*, kind19, … \(300 in all\), got 'x{40,60}$"):
        label_rows(manifest, "x" * 5000, 1)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "has 3 labels: expected one label for each row, got none"),
        (np.array([0]), "expected 2 integers, got int64 of shape [1]"),
        (np.array([0.0, 1.0]), "expected 2 integers, got float64 of shape [2]"),
        (np.array([0, 3]), "expected 0 to 2, got 0 to 3"),
        (np.array([-1, 2]), "expected 0 to 2, got -1 to 2"),
    ],
)
def test_wrong_label_indices_are_refused(conditional: Manifest, labels: Any, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        check_labels(conditional, labels, 2)
    assert message in caught.value.detail


def test_label_indices_of_any_integer_type_become_int64(conditional: Manifest, plain: Manifest) -> None:
    indices = check_labels(conditional, np.array([2, 0], np.uint8), 2)
    assert indices is not None
    assert indices.tolist() == [2, 0]
    assert indices.dtype == np.int64
    assert check_labels(plain, None, 2) is None


def test_label_indices_are_refused_by_a_model_without_labels(plain: Manifest) -> None:
    with pytest.raises(InvalidParameter, match="'plain' has 0 labels: expected no labels, got some"):
        check_labels(plain, np.array([0]), 1)


def test_missing_numbers_are_filled_where_the_model_says_with_what(tmp_path: Path) -> None:
    rows = np.array([[np.nan, 1], [2, np.nan]], np.float32)
    table = VectorInput(shape=(4,), fill=(7.0, 8.0, 0.0, 0.0))
    manifest = Manifest.read(tiny.write_version(tmp_path, kind=table))
    wide = np.concatenate([rows, [[3, 4], [5, np.nan]]], axis=1).astype(np.float32)
    assert adjust_samples(manifest, wide).samples.tolist() == [[7, 1, 3, 4], [2, 8, 5, 0]]
    assert adjust_samples(manifest, wide)[1:] == (0, 3)
    assert adjust_samples(manifest, wide[:, ::-1] * 0 + 1)[1:] == (0, 3)
    for bounds in (None, ValueRange(low=0, high=9)):
        checked = RowCheck("samples", [(2,)], bounds, fill=(7.0, 8.0))(rows)
        np.testing.assert_array_equal(checked, rows)  # the gaps are counted later
    with pytest.raises(OutOfRange, match=r"from 0 to 1, got 1\.0 to 8\.0"):
        RowCheck("samples", [(2,)], ValueRange(low=0, high=1), fill=(1.0, 8.0))(rows)
    with pytest.raises(NotFinite, match="got nan"):
        RowCheck("samples", [(2,)], None)(rows)
    with pytest.raises(NotFinite, match="got inf"):
        RowCheck("samples", [(2,)], None, fill=(7.0, 8.0))(rows + np.inf)
    with pytest.raises(WrongShape):
        RowCheck("samples", [(2,)], None, fill=(7.0, 8.0))(rows[:, :1])


def test_a_table_may_have_names_and_numbers_that_fill_gaps(tmp_path: Path) -> None:
    table = VectorInput(shape=(4,), feature_names=("a", "b", "c", "d"), fill=(1, 2, 3, 4))
    manifest = Manifest.read(tiny.write_version(tmp_path, kind=table))
    assert has_features(manifest)
    assert missing_fill(manifest) == (1, 2, 3, 4)
    image = Manifest.read(tiny.write_version(tmp_path, name="image"))
    assert not has_features(image)
    assert missing_fill(image) == ()
