"""
ADBench's tables: half of the normal rows to train, seeded and shuffled; the others and all anomalies to test.

Each table is trained on with the same configuration, and its scorer is the exported graph. Source of the tables: Han et
al., "ADBench: Anomaly Detection Benchmark", arXiv:2206.09426
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from app.engine.session import open_session
from app.importing.tidy import Tolerance
from app.inputs import ImageInput, ValueRange, VectorInput
from app.manifest import SCORER
from training.choices.choose import settle
from training.config import Config, settled
from training.data.calibration import MIN_ROWS, SHARE, digests, hold_out_calibration
from training.data.dataset import DataSet, Split
from training.data.split import group_equal_rows, split_in_two
from training.evaluation.detectors import detector_scores
from training.evaluation.false_alarms import ALPHAS, false_alarm_band
from training.exporting.export import write_model
from training.exporting.scorer import add_scorer_graph
from training.fitting.trainer import fit

Array = npt.NDArray[Any]
MAX_VALIDATION_ROWS, VALIDATION_SHARE = 200, 0.2
TOLERANCE = Tolerance(absolute=1e-3, relative=1e-3)
"""Allowed differences of the graph: some anomalies lie thousands of deviations away, where float32 has few digits."""
RUN_ROWS = 256


@dataclass(frozen=True)
class Table:
    """Rows to train on, and rows to test on with 1 for each anomaly."""

    name: str
    train: Array
    test: Array
    labels: Array


@dataclass(frozen=True)
class Trial:
    """One table and seed: AUROC by detector, and the false-positive rates with their bands."""

    table: str
    aurocs: dict[str, float]
    rates: dict[float, float]
    bands: dict[float, tuple[float, float]]
    calibration_rows: int


def read_tables(folder: Path, seed: int) -> Iterator[Table]:
    """Yield the tables of a folder, split with a seed."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            samples, labels = arrays["X"].astype(np.float32), arrays["y"].astype(int)
        normal = np.random.default_rng(seed).permutation(np.flatnonzero(labels == 0))
        train, others = normal[: len(normal) // 2], normal[len(normal) // 2 :]
        test = np.concatenate([others, np.flatnonzero(labels == 1)])
        yield Table(path.stem.partition("_")[2], samples[train], samples[test], labels[test])


def attempt(table: Table, config: Config, seed: int) -> Trial:
    """Train, export the scorer, and compare it with the rivals."""
    sample = describe(table)
    scores, p_values, rows = score_with_hourglass(config, sample, table, seed)
    train, test = (part.reshape(len(part), -1).astype(np.float64) for part in (table.train, table.test))
    detectors = {"hourglass": scores, **detector_scores(train, test, share_unit=sample.kind == "image")}
    normal = p_values[table.labels == 0]
    return Trial(
        table.name,
        {name: float(roc_auc_score(table.labels, values)) for name, values in detectors.items()},
        {alpha: float((normal <= alpha + 1e-6).mean()) for alpha in ALPHAS},
        {alpha: false_alarm_band(alpha, rows, len(normal)) for alpha in ALPHAS},
        rows,
    )


def describe(table: Table) -> VectorInput | ImageInput:
    """Return the description of a sample: a row of numbers, or an image in [0, 1]."""
    shape = table.train.shape[1:]
    if len(shape) == 3:
        return ImageInput(shape=(shape[0], shape[1], shape[2]), value_range=ValueRange(low=0, high=1))
    return VectorInput(shape=(shape[0],))


def score_with_hourglass(
    config: Config, sample: VectorInput | ImageInput, table: Table, seed: int
) -> tuple[Array, Array, int]:
    """Return scores and p-values of the test rows by a trained version's graph, and the number of calibration rows."""
    whole = Split(table.train, None, 1.0)
    share = min(VALIDATION_SHARE, MAX_VALIDATION_ROWS / len(whole))
    train, validation = (whole.take(rows) for rows in split_in_two(group_equal_rows(digests(whole)), share, seed))
    options = config.scorer.model_copy(update={"calibration": max(SHARE, MIN_ROWS / len(train))})
    data = hold_out_calibration(DataSet(table.name.lower(), sample, (), train, validation, validation), options, seed)
    optimisation = config.optimisation.model_copy(update={"seed": seed})
    config = settle(config.model_copy(update={"optimisation": optimisation}), data).config
    with tempfile.TemporaryDirectory() as temporary:
        run = fit(config, data, Path(temporary) / "run", accelerator="cpu", threads=1)
        folder = Path(temporary) / "version"
        folder.mkdir()
        draft = write_model(run, data, folder, 1, TOLERANCE)
        is_held_out = not settled(config.optimisation.folds)
        manifest = add_scorer_graph(folder, draft, data, config.scorer, seed, TOLERANCE, counts_errors=is_held_out)
        session = open_session(folder / SCORER, threads=1)
        parts = [
            session.run(["score", "p_value"], {"samples": table.test[start : start + RUN_ROWS]})
            for start in range(0, len(table.test), RUN_ROWS)
        ]
    scores, p_values = (np.concatenate(column) for column in zip(*parts, strict=True))
    assert manifest.scorer
    return np.where(np.isfinite(scores), scores, np.finfo(np.float32).max), p_values, manifest.scorer.calibration_rows
