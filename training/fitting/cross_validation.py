"""
Cross-validation of few rows: it chooses the number of epochs, and the exported network is then trained on all rows.

Each part of the rows is held out once, while a network is trained on the others. Source: Stone, "Cross-Validatory
Choice and Assessment of Statistical Predictions", Journal of the Royal Statistical Society B, 1974.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from training.config import Config, settled
from training.data.dataset import DataSet, Split
from training.data.split import group_equal_rows
from training.data.storage import Integers
from training.fitting.batches import Batches
from training.fitting.beginning import criteria, is_improvement
from training.fitting.pair_stages import WholeNetwork
from training.fitting.ranks import on_first_rank
from training.fitting.stages import Stage

log = logging.getLogger(__name__)

FILE = "cross-validation.json"

GROUPS = 40
"""Groups of the held-out rows of a fold, by which an improvement is told from chance."""

FitFold = Callable[[Stage, DataSet, Sequence[Callback], int], None]
"""Trains a stage on the parts of a fold with further callbacks; the last argument is the number of trainings left."""


@dataclass(frozen=True)
class CrossValidation:
    """The epochs that few rows are trained for, and the held-out terms of each epoch that led to them."""

    epochs: int
    """The epochs that all rows are trained for; 0: no number of them is better than the weights before training."""
    history: list[dict[str, float]]
    """A record for each epoch that all folds reached: the means over all rows, each while it was held out."""
    cut_short: bool = False


class HeldOut(Callback):
    """Notes the criterion of a stage on each group of held-out rows: before training, and after every epoch."""

    def __init__(self, groups: Batches) -> None:
        self._groups = groups
        self.values: list[Tensor] = []
        """Shape of each: (groups,)."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Note the criterion of the weights before the first step."""
        self._note(pl_module)

    def on_validation_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Note the criterion of an epoch. The average has taken the weights' place: its callback comes first."""
        self._note(pl_module)

    def _note(self, stage: lightning.LightningModule) -> None:
        assert isinstance(stage, Stage)
        self.values.append(criteria(stage, self._groups))


def all_rows(data: DataSet) -> DataSet:
    """Return the data set with the validation part among the training rows."""
    return replace(data, train=_joined(data.train, data.validation))


def folds_of(data: DataSet, count: int, seed: int) -> list[DataSet]:
    """Return data sets in which each row of the training and the validation part is held out once, with its equals."""
    rows = _joined(data.train, data.validation)
    flat = np.ascontiguousarray(rows.samples).reshape(len(rows), -1)
    groups = group_equal_rows(np.unique(flat, axis=0, return_inverse=True)[1].reshape(-1))
    different = int(groups.max()) + 1
    order = np.random.default_rng(seed).permutation(different)
    fold_of_group: Integers = np.empty(different, np.int64)
    fold_of_group[order] = np.arange(different) % min(count, different)
    held_out = [fold_of_group[groups] == fold for fold in range(min(count, different))]
    return [
        replace(data, train=rows.take(np.flatnonzero(~part)), validation=rows.take(np.flatnonzero(part)))
        for part in held_out
    ]


def _joined(first: Split, second: Split) -> Split:
    labels = None if first.labels is None or second.labels is None else np.concatenate([first.labels, second.labels])
    return replace(first, samples=np.concatenate([first.samples, second.samples]), labels=labels)


def cross_validate(
    config: Config, data: DataSet, folder: Path, stage_of: Callable[[DataSet], WholeNetwork], fit: FitFold
) -> CrossValidation:
    """
    Train on the folds, or read what a resumed run has found. `stage_of` builds the stage of a fold, untrained.

    The number of epochs is the one with the least criterion over all rows, if that is an improvement by more than
    chance on the weights before the first step.
    """
    path = folder / FILE
    if path.exists():
        return CrossValidation(**json.loads(path.read_text(encoding="utf-8")))
    stages, held_out = list[WholeNetwork](), list[HeldOut]()
    folds = folds_of(data, settled(config.optimisation.folds), config.optimisation.seed)
    for index, fold in enumerate(folds):
        stage = stage_of(fold)
        rows_per_group = -(-len(fold.validation) // GROUPS)
        noted = HeldOut(Batches(fold.validation, rows_per_group, None))
        fit(stage, fold, [noted], len(folds) - index + 1)
        stages.append(stage)
        held_out.append(noted)
    history = _means(stages, [len(fold.validation) for fold in folds])
    criterion = stages[0].criterion
    epochs = round(min(history, key=lambda record: record[criterion])["epoch"])
    before, after = (torch.cat([noted.values[epoch] for noted in held_out]) for epoch in (0, epochs))
    if is_improvement(before, after, criterion.endswith("/mse")):
        log.info("cross-validation: %d epochs are best", epochs)
    else:
        log.warning("cross-validation: no epoch improved on the weights before training, which are kept")
        epochs = 0
    found = CrossValidation(epochs, history, any(stage.cut_short for stage in stages))
    if not found.cut_short:  # otherwise a resumed run repeats it
        on_first_rank(lambda: _write(found, path))
    return found


def _means(stages: Sequence[Stage], rows: Sequence[int]) -> list[dict[str, float]]:
    """Return the records of the epochs that all folds reached, each term as the mean over all rows."""
    shares = [count / sum(rows) for count in rows]
    return [
        {name: sum(share * record[name] for share, record in zip(shares, records, strict=True)) for name in records[0]}
        | {"epoch": records[0]["epoch"]}
        for records in zip(*(stage.history for stage in stages), strict=False)
    ]


def _write(found: CrossValidation, path: Path) -> None:
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps(asdict(found)), encoding="utf-8")
    partial.replace(path)
