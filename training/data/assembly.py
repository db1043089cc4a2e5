"""From rows that were read to a data set: surveyed, split, in units, and with what was found."""

from __future__ import annotations

import logging

import numpy as np

from app.manifest import ImageInput, ValueRange, VectorInput
from training.config import DataConfig
from training.data.dataset import DataSet, Numbers, Samples, Split
from training.data.findings import Findings
from training.data.labels import number_labels
from training.data.source import Source
from training.data.split import groups_of, split_in_three, split_in_two
from training.data.survey import Survey, pieces, stored, stored_dtype, survey
from training.errors import DataError

log = logging.getLogger(__name__)


def assemble(name: str, source: Source, config: DataConfig, seed: int) -> DataSet:
    """A data set of arranged rows. Raises DataError."""
    value_range = config.value_range or source.value_range
    sources = [source] if source.test is None else [source, source.test]
    surveys = [survey(part, value_range) for part in sources]
    low = np.min([part.low for part in surveys], axis=0)
    high = np.max([part.high for part in surveys], axis=0)
    if len(source.samples) > 1 and (low == high).all():
        raise DataError(f"{source.origin}: all rows are the same")
    classes, labels = number_labels(sources)
    rows = _rows_of_parts(source, surveys, config, seed)
    unit, found_range = _units(source, value_range, float(low.min()), float(high.max()))
    train, validation, test = (
        Split(_gather(sources[part], chosen), None if (n := labels[part]) is None else n[chosen], unit)
        for part, chosen in zip((0, 0, -1), rows, strict=True)
    )
    clipped = 0
    if source.kind == "image" and found_range is None:
        found_range = _fitted_range(source, train)
        clipped = sum(_clip(part.samples, found_range) for part in (validation, test))
    return DataSet(
        name=name,
        input=_input(source, found_range),
        classes=classes,
        train=train,
        validation=validation,
        test=test,
        findings=_findings(source, surveys, (train, validation, test), classes, (low, high), clipped),
    )


def _rows_of_parts(
    source: Source, surveys: list[Survey], config: DataConfig, seed: int
) -> tuple[Numbers, Numbers, Numbers]:
    """Rows to train on and to validate on, of the source, and to test on, of its test part where it has one."""
    digests = surveys[0].digests
    kept = np.arange(len(digests))
    if source.test is not None:
        kept = np.flatnonzero(~np.isin(digests, surveys[1].digests))
    groups = groups_of(digests[kept])
    parts, least = ("training, validation and test", 3) if source.test is None else ("training and validation", 2)
    different = int(groups.max(initial=-1)) + 1
    if different < least:
        raise DataError(
            f"{source.origin}: expected at least {least} different rows for {parts}, got {different} in {len(kept)}"
        )
    if source.test is None:
        return split_in_three(groups, config.test, config.validation, seed)
    train, validation = split_in_two(groups, config.validation, seed)
    return kept[train], kept[validation], np.arange(len(source.test.samples))


def _units(
    source: Source, value_range: tuple[float, float] | None, low: float, high: float
) -> tuple[float, tuple[float, float] | None]:
    """
    What one stored unit is, and the range in the user's units; None where it is not known before the split.

    A range that is stated is that of the stored numbers, 8-bit images included.
    """
    if source.kind == "vector" or value_range:
        return 1.0, value_range
    if source.samples.dtype == np.uint8:
        if high <= 1:
            log.warning("%s: 8-bit images without a value above 1; see data.value_range", source.origin)
        return 1 / 255, (0.0, 1.0)
    return 1.0, (0.0, 1.0) if low >= 0 and high <= 1 else None


def _gather(source: Source, rows: Numbers) -> Samples:
    """Rows of a source in memory, C-contiguous, in the type that they are kept in."""
    samples: Samples = np.empty((len(rows), *source.samples.shape[1:]), stored_dtype(source.samples.dtype))
    for piece in pieces(samples):
        samples[piece] = stored(source.samples[rows[piece]])
    return samples


def _fitted_range(source: Source, train: Split) -> tuple[float, float]:
    low, high = float(train.samples.min()), float(train.samples.max())
    if low == high:
        raise DataError(f"{source.origin}: all numbers of the training part are {low:g}; data.value_range is needed")
    return low, high


def _clip(samples: Samples, value_range: tuple[float, float]) -> int:
    """Move what lies beyond the range to its ends, in place; how many numbers these were."""
    low, high = (samples.dtype.type(end) for end in value_range)
    count = int(np.count_nonzero(samples < low) + np.count_nonzero(samples > high))
    if count:
        np.clip(samples, low, high, out=samples)
        log.warning("%d numbers of held-out images lay beyond the training images' range and were clipped", count)
    return count


def _input(source: Source, value_range: tuple[float, float] | None) -> ImageInput | VectorInput:
    shape = source.samples.shape[1:]
    limits = None if value_range is None else ValueRange(low=value_range[0], high=value_range[1])
    if source.kind == "vector":
        return VectorInput(shape=(shape[0],), value_range=limits, feature_names=source.feature_names)
    assert limits is not None
    return ImageInput(shape=(shape[0], shape[1], shape[2]), value_range=limits)


def _findings(
    source: Source,
    surveys: list[Survey],
    parts: tuple[Split, Split, Split],
    classes: tuple[str, ...],
    limits: tuple[Samples, Samples],
    clipped: int,
) -> Findings:
    digests = np.concatenate([part.digests for part in surveys])
    sizes = (len(parts[0]), len(parts[1]), len(parts[2]))
    labels = [part.labels for part in parts if part.labels is not None]
    counts = np.bincount(np.concatenate(labels), minlength=len(classes)).tolist() if labels else []
    low, high = limits
    return Findings(
        rows=len(digests),
        kind=source.kind or "",
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
    )
