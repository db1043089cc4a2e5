"""Checks of the arrays that go into a model and come out of it, with errors in the user's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, NoReturn

import numpy as np

from app.arrays import Array, Labels, Samples
from app.errors import EmptyBatch, InvalidParameter, NotFinite, OutOfRange, TooManyRows, WrongShape
from app.inputs import ImageInput, ValueRange, VectorInput
from app.manifest import Manifest

MAX_LISTED_LABELS = 20
"""Labels that an error message lists; if a model has more, the first ones."""


def accepted_shapes(manifest: Manifest) -> list[tuple[int, ...]]:
    """
    Return the shapes that a sample may have, first the one that the model takes.

    Images may be flat, and have no channel axis if there is one channel; vectors may have the shape of their window.
    """
    shape = manifest.input_shape
    accepted = [shape]
    if len(shape) > 1:
        accepted.append((manifest.input_size,))
    if isinstance(manifest.input, ImageInput) and shape[0] == 1:
        accepted.append(shape[1:])
    if isinstance(manifest.input, VectorInput) and manifest.input.window:
        accepted.append(manifest.input.window)
    return accepted


def has_features(manifest: Manifest) -> bool:
    """Return whether the columns of a model's samples have names."""
    return isinstance(manifest.input, VectorInput) and bool(manifest.input.feature_names)


def missing_fill(manifest: Manifest) -> tuple[float, ...]:
    """Return the numbers that stand in for missing ones; none if the model refuses missing numbers."""
    return manifest.input.fill if isinstance(manifest.input, VectorInput) else ()


def level_unit(manifest: Manifest) -> float | None:
    """
    Return the number that a level of an 8-bit array stands for; None if a model takes such arrays as they are.

    Training reads 8-bit images as numbers from 0 to 1, unless its configuration states a range, in the file's units.
    """
    sample, training = manifest.input, manifest.training
    if not isinstance(sample, ImageInput) or sample.levels or training is None:
        return None
    states_range = (training.configuration.get("data") or {}).get("value_range") is not None
    is_unit_range = (sample.value_range.low, sample.value_range.high) == (0, 1)
    return 1 / 255 if is_unit_range and not states_range else None


class RowCheck:
    """The check of a model's samples, or of its latents: their number, shape, finite values, and value range."""

    def __init__(
        self,
        name: str,
        accepted: Sequence[tuple[int, ...]],
        value_range: ValueRange | None,
        max_rows: int | None = None,
        fill: Sequence[float] = (),
    ) -> None:
        self.name = name
        """The name of the array on the wire."""
        self._max_rows = max_rows
        self._accepted = accepted
        """Shapes of one row; the first is the one that the model takes."""
        self._range = value_range
        self._highest_bits = highest_bits(value_range)
        self._fill = np.array(fill, np.float32)
        """The numbers that will stand in for missing ones, which are NaN; none: a missing number is refused."""

    def __call__(self, rows: Array) -> Array:
        """
        Return the rows in the model's shape: contiguous float32. Missing numbers are still NaN if there is a fill.

        Raises TooManyRows, EmptyBatch, WrongShape, NotFinite or OutOfRange.
        """
        if rows.ndim == 0 or len(rows) == 0:
            raise EmptyBatch(f"{self.name}: expected at least one row, got none")
        if self._max_rows is not None and len(rows) > self._max_rows:
            raise TooManyRows(f"expected at most {self._max_rows} rows at once, got {len(rows)}")
        if rows.shape[1:] not in self._accepted:
            self._raise_wrong_shape(rows)
        bits = self._highest_bits
        if self._fill.size:
            self._check_numbers(np.where(np.isnan(rows), self._fill, rows))
        elif bits is None or rows.dtype != np.float32 or np.maximum.reduce(rows.view(np.uint32), axis=None) > bits:
            self._check_numbers(rows)
        return np.ascontiguousarray(rows.reshape(len(rows), *self._accepted[0]), dtype=np.float32)

    def _check_numbers(self, rows: Array) -> None:
        value_range = self._range
        if value_range is None:
            return _check_finite_input(self.name, rows)
        if rows.min() >= value_range.low and rows.max() <= value_range.high:  # False for NaN
            return None
        _check_finite_input(self.name, rows)
        raise OutOfRange(
            f"{self.name}: expected numbers from {value_range.low:g} to {value_range.high:g}, "
            f"got {rows.min()} to {rows.max()}"
        )

    def _raise_wrong_shape(self, rows: Array) -> NoReturn:
        expected = " or ".join(str(["rows", *shape]).replace("'", "") for shape in self._accepted)
        hint = "; a single row must still be in a list" if rows.shape in self._accepted else ""
        raise WrongShape(f"{self.name}: expected shape {expected}, got {list(rows.shape)}{hint}")


def highest_bits(value_range: ValueRange | None) -> int | None:
    """
    Return the bits of the end of a range from 0, as a whole number; None for any other range.

    float32 numbers from 0 on are in the order of their bits, and negative ones and NaN come after all others. So one
    pass over the numbers shows that they lie in the range, in a quarter of the time of finding their ends.
    Source: IEEE 754-2019, section 3.4
    """
    if value_range is None or value_range.low != 0:
        return None
    return int(np.float32(value_range.high).view(np.uint32))


def row_checks(manifest: Manifest, max_rows: int | None = None) -> dict[str, RowCheck]:
    """
    Return the checks of a model's arrays, by name.

    Unbounded samples may be anomalies: a row of a table may lie anywhere. In images and other arrays, numbers beyond a
    stated range have another unit.
    """
    shapes, stated, fill = accepted_shapes(manifest), stated_range(manifest), missing_fill(manifest)
    unbounded = None if isinstance(manifest.input, VectorInput) else stated
    return {
        "samples": RowCheck("samples", shapes, stated, max_rows, fill),
        "unbounded samples": RowCheck("samples", shapes, unbounded, max_rows, fill),
        "latents": RowCheck("latents", [(manifest.latent_dim,)], None, max_rows),
    }


def stated_range(manifest: Manifest) -> ValueRange | None:
    """Return the range that samples must lie in, or None if any finite number is accepted."""
    return manifest.input.value_range if manifest.input.range_origin == "stated" else None


class Adjusted(NamedTuple):
    """Samples as the model takes them."""

    samples: Samples
    clipped: int
    """The count of numbers that were beyond the range that training found."""
    filled: int
    """The count of numbers that were missing."""


def adjust_samples(manifest: Manifest, samples: Samples, *, clip: bool = True) -> Adjusted:
    """
    Return checked samples without gaps and, unless `clip` is false, within the range that training found.

    Held-out samples are adjusted in the same way in training. A stated range changes no sample.
    """
    fill, filled = missing_fill(manifest), 0
    if fill:
        gaps = np.isnan(samples)
        if filled := int(np.count_nonzero(gaps)):
            samples = np.where(gaps, np.array(fill, np.float32), samples)
    found = manifest.input.value_range
    if not clip or found is None or manifest.input.range_origin == "stated":
        return Adjusted(samples, 0, filled)
    low, high = np.float32(found.low), np.float32(found.high)
    beyond = int(np.count_nonzero(samples < low)) + int(np.count_nonzero(samples > high))
    return Adjusted(np.clip(samples, low, high) if beyond else samples, beyond, filled)


def check_finite(name: str, result: Array) -> Array:
    """Return the result, or raise NotFinite: JSON has no NaN and no infinity."""
    if not np.logical_and.reduce(np.isfinite(result), axis=None):
        raise NotFinite(f"expected numbers that the model can calculate with, but they lead to infinite {name}")
    return result


def label_rows(manifest: Manifest, label: str | None, count: int) -> Labels | None:
    """
    Return the index of a label, repeated for each row, or None for a model without labels.

    Shape: (count,)
    Raises InvalidParameter if a conditional model gets no label or an unknown one, or if another model gets a label.
    """
    known, name = manifest.labels, manifest.name
    if not known:
        if label is None:
            return None
        raise InvalidParameter(f"the model {name!r} is not conditional: expected no label, got {label!r:.60}")
    if label not in known:
        more = f", … ({len(known)} in all)" if len(known) > MAX_LISTED_LABELS else ""
        names = ", ".join(known[:MAX_LISTED_LABELS]) + more
        got = "" if label is None else f", got {label!r:.60}"
        raise InvalidParameter(f"the model {name!r} is conditional: expected label to be one of {names}{got}")
    return np.full(count, known.index(label), np.int64)


def encoder_label_rows(manifest: Manifest, label: str | None, count: int) -> Labels | None:
    """
    Return the index of a label for each row that an encoder takes, or None if it takes only samples.

    Shape: (count,)
    Raises InvalidParameter, also if an encoder without labels gets one.
    """
    if manifest.encoder_takes_labels or not manifest.labels:
        return label_rows(manifest, label, count)
    if label is not None:
        raise InvalidParameter(
            f"the encoder of the model {manifest.name!r} takes no label, only its decoder does, got {label!r:.60}"
        )
    return None


def check_labels(manifest: Manifest, labels: Labels | None, count: int) -> Labels | None:
    """
    Return the labels as int64, or None for a model without labels.

    Shape: (count,)
    Raises InvalidParameter unless there is one label for each row of a conditional model, and none for another model.
    """
    known = len(manifest.labels)
    if labels is None and not known:
        return None
    if labels is None or not known:
        expected, got = ("one label for each row", "none") if known else ("no labels", "some")
        raise InvalidParameter(f"the model {manifest.name!r} has {known} labels: expected {expected}, got {got}")
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise InvalidParameter(f"labels: expected {count} integers, got {labels.dtype} of shape {list(labels.shape)}")
    if labels.min() < 0 or labels.max() >= known:
        raise InvalidParameter(f"labels: expected 0 to {known - 1}, got {labels.min()} to {labels.max()}")
    return labels.astype(np.int64)


def _check_finite_input(name: str, rows: Array) -> None:
    if not np.isfinite(rows).all():
        at = [int(index) for index in np.argwhere(~np.isfinite(rows))[0]]
        raise NotFinite(f"{name}: expected finite float32 numbers, got {rows[tuple(at)]} at {at}")
