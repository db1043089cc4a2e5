"""The steps from a source to a data set: survey, number the labels, split, store, settle the value range."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.inputs import ImageInput, RangeOrigin, ValueRange, VectorInput
from training.config import MAX_SPAN, DataConfig
from training.data.dataset import DataSet, Split
from training.data.findings import Findings
from training.data.labels import number_labels
from training.data.missing import fill_missing
from training.data.precision import describe_losses, find_losses
from training.data.source import Source
from training.data.split import group_equal_rows, split_in_three, split_in_two
from training.data.storage import Integers, StoredSamples, row_chunks, shown, stored_dtype, to_stored
from training.data.survey import Survey, survey_rows
from training.errors import DataError

log = logging.getLogger(__name__)

VALIDATION_ROWS = 200
"""Rows that an automatic validation part should have, within these shares of the rows."""
MIN_VALIDATION_SHARE, MAX_VALIDATION_SHARE = 0.05, 0.2


def prepare(name: str, source: Source, config: DataConfig, seed: int) -> DataSet:
    """Build a data set from a source whose axes are arranged. Raises DataError."""
    value_range = config.value_range or source.value_range
    sources = [part for part in (source, source.validation, source.test) if part is not None]
    surveys = [survey_rows(part, value_range) for part in sources]
    low = np.min([part.low for part in surveys], axis=0)
    high = np.max([part.high for part in surveys], axis=0)
    if sum(len(part.samples) for part in sources) > 1 and (low == high).all():
        raise DataError(f"{source.origin}: all rows are the same")
    _check_span(source, low.astype(np.float64), high.astype(np.float64))
    losses = find_losses(source)
    if losses:
        source = replace(source, notes={**source.notes, "precision": describe_losses(source, losses)})
        log.warning("%s: %s", source.origin, source.notes["precision"])
    classes, labels = number_labels(sources)
    rows = _split_rows(source, surveys, config, seed)
    unit, value_range = _unit_and_range(source, value_range, float(low.min()), float(high.max()))
    origins = (0, 0 if source.validation is None else 1, 0 if source.test is None else -1)
    train, validation, test = (
        _gather(sources[index], labels[index], part_rows, unit) for index, part_rows in zip(origins, rows, strict=True)
    )
    own = [sources[index] for index in origins]
    fill = fill_missing(own, (train, validation, test), rows) if config.missing == "median" else ()
    clipped, found = 0, False
    if source.kind == "image" and value_range is None:
        value_range, found = _training_range(source, train), True
        clipped = sum(part.clip(value_range) for part in (validation, test))
        if clipped:
            log.warning(
                "%d numbers of held-out images were outside the training images' range and were clipped", clipped
            )
    return DataSet(
        name=name,
        input=_input(source, value_range, found, fill),
        classes=classes,
        train=train,
        validation=validation,
        test=test,
        findings=_findings(source, surveys, (train, validation, test), classes, (low, high), clipped),
    )


def _check_span(source: Source, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> None:
    """Raise DataError unless float32 holds the distances between values: of a column, or of all pixels."""
    if source.kind == "image":
        low, high = low.min(keepdims=True), high.max(keepdims=True)
    if (high - low > MAX_SPAN).any():
        column = int((high - low).argmax())
        place = source.origin if source.kind == "image" else f"{source.origin}: column {source.column_name(column)}"
        raise DataError(
            f"{place}: numbers from {low[column]:g} to {high[column]:g} are too far apart for float32; divide them"
        )


def _split_rows(
    source: Source, surveys: list[Survey], config: DataConfig, seed: int
) -> tuple[Integers, Integers, Integers]:
    """
    Return the rows of the training, the validation and the test part, each counted in its own source.

    A part that the source has is whole, except validation rows that the test part has, too. The others are shares of
    the source's rows, without the rows that those parts have.
    """
    own = [survey.digests for survey in surveys[1:]]
    validation_rows = test_rows = None
    if source.test is not None:
        test_rows = np.arange(len(source.test.samples))
    if source.validation is not None:
        known = own[1] if source.test is not None else own[0][:0]
        validation_rows = np.flatnonzero(~np.isin(own[0], known))
        if len(validation_rows) == 0:
            raise DataError(f"{source.origin}: all images of the validation part are in the test part, too")
    digests = surveys[0].digests
    rows = np.flatnonzero(~np.isin(digests, np.concatenate(own))) if own else np.arange(len(digests))
    groups = group_equal_rows(digests[rows])
    _check_group_count(source, groups, ["validation"] * (validation_rows is None) + ["test"] * (test_rows is None))
    train = np.arange(len(rows))
    if validation_rows is None and test_rows is None:
        share = _validation_share(config, (1 - config.test) * len(rows))
        train, validation, test = split_in_three(groups, config.test, share, seed)
        return rows[train], rows[validation], rows[test]
    if validation_rows is None:
        train, validation_rows = split_in_two(groups, _validation_share(config, len(rows)), seed)
        validation_rows = rows[validation_rows]
    elif test_rows is None:
        train, test_rows = split_in_two(groups, config.test, seed)
        test_rows = rows[test_rows]
    assert test_rows is not None
    return rows[train], validation_rows, test_rows


def _validation_share(config: DataConfig, rows: float) -> float:
    """Return the share for validation of rows without the test part. `auto` makes it large enough to choose by."""
    if config.validation != "auto":
        return config.validation
    return min(MAX_VALIDATION_SHARE, max(MIN_VALIDATION_SHARE, VALIDATION_ROWS / max(1, rows)))


def _check_group_count(source: Source, groups: Integers, shares: list[str]) -> None:
    """Raise DataError if there are fewer different rows than parts that they must fill."""
    parts = ", ".join(["training", *shares[:-1]]) + "".join(f" and {name}" for name in shares[-1:])
    different = int(groups.max(initial=-1)) + 1
    if different < 1 + len(shares):
        raise DataError(
            f"{source.origin}: expected at least {1 + len(shares)} different rows for {parts}, "
            f"got {different} in {len(groups)}"
        )


def _unit_and_range(
    source: Source, value_range: tuple[float, float] | None, low: float, high: float
) -> tuple[float, tuple[float, float] | None]:
    """
    Return one stored unit in the user's units, and the range in the user's units, or None if the split decides it.

    A range from the configuration or the source is in stored units, also for 8-bit images.
    """
    if source.kind == "vector" or value_range:
        return 1.0, value_range
    if source.samples.dtype == np.uint8:
        if high <= 1:
            log.warning(
                "%s: 8-bit images without a value above 1: for 0 and 1, say --set data.value_range=0,1", source.origin
            )
        return 1 / 255, (0.0, 1.0)
    return 1.0, (0.0, 1.0) if low >= 0 and high <= 1 else None


def _gather(source: Source, labels: Integers | None, rows: Integers, unit: float) -> Split:
    """Copy rows of a source into memory, C-contiguous, in the type in which they are stored."""
    samples: StoredSamples = np.empty((len(rows), *source.samples.shape[1:]), stored_dtype(source.samples.dtype))
    for chunk in row_chunks(samples):
        samples[chunk] = to_stored(source.samples[rows[chunk]])
    return Split(samples, None if labels is None else labels[rows], unit)


def _training_range(source: Source, train: Split) -> tuple[float, float]:
    low, high = float(train.samples.min()), float(train.samples.max())
    if low == high:
        number = shown(low)
        raise DataError(
            f"{source.origin}: all numbers of the training part are {number} in float32; subtract an offset, or say "
            "--set data.value_range=LOW,HIGH"
        )
    return low, high


def _input(
    source: Source, value_range: tuple[float, float] | None, found: bool, fill: tuple[float, ...]
) -> ImageInput | VectorInput:
    shape = source.samples.shape[1:]
    limits = None if value_range is None else ValueRange(low=value_range[0], high=value_range[1])
    if source.kind == "vector":
        return VectorInput(
            shape=(shape[0],),
            value_range=limits,
            feature_names=source.feature_names,
            one_hot=dict(source.one_hot),
            fill=fill,
            window=source.window,
        )
    assert limits is not None
    origin: RangeOrigin = "found" if found else "stated"
    pixels = source.pixels
    return ImageInput(
        shape=(shape[0], shape[1], shape[2]),
        value_range=limits,
        range_origin=origin,
        bits=pixels.bits,
        levels=None if pixels.levels is None else ValueRange(low=pixels.levels[0], high=pixels.levels[1]),
        background=pixels.background,
    )


def _findings(
    source: Source,
    surveys: list[Survey],
    parts: tuple[Split, Split, Split],
    classes: tuple[str, ...],
    limits: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    clipped: int,
) -> Findings:
    digests = np.concatenate([survey.digests for survey in surveys])
    sizes = (len(parts[0]), len(parts[1]), len(parts[2]))
    labels = [part.labels for part in parts if part.labels is not None]
    counts = np.bincount(np.concatenate(labels), minlength=len(classes)).tolist() if labels else []
    low, high = limits
    return Findings(
        rows=len(digests),
        kind=source.kind or "",
        window=source.window,
        is_kind_guessed=source.is_kind_guessed,
        shape=source.samples.shape[1:],
        dtype=str(source.samples.dtype),
        low=float(low.min()) * parts[0].unit,
        high=float(high.max()) * parts[0].unit,
        constant=tuple(source.column_name(int(column)) for column in np.flatnonzero(low == high)),
        duplicates=int(np.count_nonzero(np.diff(np.sort(digests)) == 0)),
        dropped=len(digests) - sum(sizes),
        clipped=clipped,
        class_counts=dict(zip(classes, counts, strict=True)),
        parts=sizes,
        notes=source.notes,
    )
