"""The calibration part: rows that a scorer's p-values compare samples with, and that nothing is fitted to."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.config import Config, DataConfig, ScorerConfig
from training.data.dataset import DataSet, Split
from training.data.load import load_data
from training.data.split import group_equal_rows, split_in_two
from training.data.storage import Integers
from training.data.survey import row_digests
from training.errors import DataError

log = logging.getLogger(__name__)

SHARE, MAX_ROWS = 0.1, 2_000
MAX_SHARE = 1 / 3
"""The most of other data than the network's that calibrates a scorer; of few rows of its own, it needs each."""
MIN_ROWS = 19
"""Calibration rows with which a p-value can be 0.05: the smallest is 1 / (rows + 1)."""


def load_run_data(config: Config, data_dir: Path | None, source: DataConfig | None = None) -> DataSet:
    """
    Load the data of a configuration, with the calibration part that its scorer asks for.

    `source` names other data in place of the configuration's. Raises DataError.
    """
    data = load_data(source or config.data, data_dir, config.optimisation.seed)
    if config.scorer.kind == "none" or config.is_conditional:
        return data
    return hold_out_calibration(data, config.scorer, config.optimisation.seed)


def hold_out_calibration(data: DataSet, options: ScorerConfig, seed: int, largest: float = SHARE) -> DataSet:
    """
    Return the data with a part of the training rows as the calibration part; the same data if there are too few.

    Equal rows stay together. Raises DataError if the options ask for a share of rows that is too small.
    """
    count = calibration_count(len(data.train), options, largest)
    if options.calibration != "auto" and count < MIN_ROWS:
        raise DataError(
            f"{data.name}: --set scorer.calibration={options.calibration:g} of {len(data.train)} training rows are "
            f"{count}, and a scorer needs {MIN_ROWS}; or say --set scorer.kind=none"
        )
    groups = group_equal_rows(digests(data.train))
    if count == 0 or groups.max(initial=0) == 0:
        return data
    train, calibration = split_in_two(groups, count / len(data.train), seed)
    others = np.concatenate([digests(data.validation), digests(data.test)])  # rows that only float32 makes equal
    calibration = calibration[~np.isin(digests(data.train.take(calibration)), others)]
    if len(calibration) < MIN_ROWS:
        return data  # large groups of equal rows did not fit
    findings = replace(
        data.findings,
        parts=(len(train), *data.findings.parts[1:]),
        notes={**data.findings.notes, "calibration": f"{len(calibration)} rows for the scorer's p-values"},
    )
    return replace(data, train=data.train.take(train), calibration=data.train.take(calibration), findings=findings)


def calibration_from_test(data: DataSet, seed: int) -> DataSet:
    """
    Return the data with half of the test part, MAX_ROWS at most, as the calibration part, and the rest as the test.

    It is for a model that was trained without a calibration part. Raises DataError if there are too few rows.
    """
    groups = group_equal_rows(digests(data.test))
    share = min(0.5, MAX_ROWS / max(1, len(data.test)))
    rest, calibration = split_in_two(groups, share, seed) if groups.max(initial=0) else (np.arange(0),) * 2
    if len(calibration) < MIN_ROWS:
        raise DataError(
            f"{data.name}: a scorer is calibrated on half of the test part, which must have {MIN_ROWS} different rows, "
            f"got {len(calibration)}; --data names other data"
        )
    return replace(data, test=data.test.take(rest), calibration=data.test.take(calibration))


def calibration_count(rows: int, options: ScorerConfig, largest: float = SHARE) -> int:
    """
    Return the number of calibration rows among so many training rows; 0: too few for a scorer.

    `largest` is the largest share that `auto` may take, so that there are MIN_ROWS.
    """
    if options.calibration != "auto":
        return round(options.calibration * rows)
    return min(MAX_ROWS, max(MIN_ROWS, round(SHARE * rows))) if largest * rows >= MIN_ROWS else 0


def check_held_out(data: DataSet, known: Split, role: str) -> None:
    """Raise DataError if a calibration row is also one of the rows of another part."""
    assert data.calibration is not None
    count = int(np.isin(digests(data.calibration), digests(known)).sum())
    if count:
        raise DataError(
            f"{data.name}: {count} of {len(data.calibration)} calibration rows are also {role}; a p-value compares "
            "samples with rows that nothing was fitted to"
        )


def digests(split: Split) -> Integers:
    """Return a digest of each row in the user's units; equal rows have the same."""
    return row_digests(split.in_users_units().reshape(len(split), -1))
