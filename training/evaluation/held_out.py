"""The data of an evaluation: a model's own, or a file that is measured as a whole beside the model's training data."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from app.inputs import VectorInput
from app.manifest import Manifest
from training.config import Config, DataConfig
from training.data.calibration import load_run_data
from training.data.dataset import DataSet, Split
from training.data.load import find_path, is_table, load_data, name_of, read_source
from training.data.readers.mnist import holds_mnist
from training.data.survey import row_digests
from training.data.tables.matching import feature_columns
from training.data.tables.selection import counted, listed, quoted
from training.data.whole import prepare_whole
from training.errors import DataError, TrainingError
from training.evaluation.version import choose_data, load_for, shaped_for

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationData:
    """The data that a model is measured on, and the data that it was trained on."""

    data: DataSet
    """Its test part is measured; its training part is that of `training`, if that was found."""
    training: DataSet | None
    """None: not found, or not the same any more."""
    separation: bool
    """True if it is asked how the model tells the labels apart: of held-out data, or of a named column."""


def load_evaluation_data(
    manifest: Manifest,
    config: Config | None,
    paths: tuple[str | None, str | None],
    label: str | None,
    data_dir: Path | None,
) -> EvaluationData:
    """
    Load the data to measure a model on.

    `paths` are those of --data and --test. Without either, the test part of the model's own data is measured. One of
    them is measured as a whole. With both, the first is the training data and the second is measured.
    Raises DataError, and RunError if the model was not trained here and no path is given.
    """
    first, test = paths
    path = test or first
    if path is None:
        return _own_data(manifest, config, label, data_dir)
    chosen = _with_label(choose_data(manifest, config, path, data_dir), manifest, path, label, data_dir)
    if first and test:
        training: DataSet | None = _training_data_at(manifest, config, first, data_dir)
    else:
        training = find_training_data(manifest, config, data_dir)
        same = _load_if_trained_on(manifest, config, chosen, data_dir)
        if same is not None:
            log.info("%s was trained on %s: its test part is measured", manifest.name, path)
            return EvaluationData(same, same, separation=label is not None)
    held_out = _load_whole(manifest, chosen, data_dir, config.optimisation.seed if config else 0)
    if training is None:
        return EvaluationData(held_out, None, separation=True)
    _warn_of_shared_rows(training.train, held_out)
    has_own_labels = config is not None and chosen.label == config.data.label
    return EvaluationData(beside(held_out, training, has_own_labels), training, separation=True)


def _own_data(manifest: Manifest, config: Config | None, label: str | None, data_dir: Path | None) -> EvaluationData:
    own = choose_data(manifest, config, None, data_dir)
    data = load_as_in_training(config, own, data_dir)
    is_same = is_trained_on(manifest, data)
    if label is not None and label != own.label:
        _refuse_feature(manifest, label)
        changed: dict[str, object] = {"label": label}
        sample = manifest.input
        if isinstance(sample, VectorInput) and sample.feature_names:  # the former label is no feature now
            changed |= {"columns": feature_columns(sample.feature_names, sample.one_hot), "drop": ()}
        data = load_as_in_training(config, own.model_copy(update=changed), data_dir)
    return EvaluationData(data, data if is_same else None, separation=label is not None)


def _training_data_at(manifest: Manifest, config: Config | None, path: str, data_dir: Path | None) -> DataSet:
    data = load_as_in_training(config, choose_data(manifest, config, path, data_dir), data_dir)
    if not is_trained_on(manifest, data):
        log.warning("%s: %s was not trained on these data, but baselines are fitted on them", path, manifest.name)
    return data


def is_trained_on(manifest: Manifest, data: DataSet) -> bool:
    """Return whether a model was trained on these data, by their fingerprint."""
    return manifest.training is not None and manifest.training.data_fingerprint == data.fingerprint()


def find_training_data(manifest: Manifest, config: Config | None, data_dir: Path | None) -> DataSet | None:
    """Return the data that a model was trained on if they are where its configuration says; download nothing."""
    if config is None:
        return None
    if config.data.name == "mnist" and not any(
        holds_mnist(folder) for folder in ([data_dir, data_dir / "mnist"] if data_dir else [])
    ):
        return None
    return _load_if_trained_on(manifest, config, config.data, data_dir)


def load_as_in_training(config: Config | None, source: DataConfig, data_dir: Path | None) -> DataSet:
    """Load data, split with the seed of a configuration and with the calibration part that its scorer asks for."""
    return load_run_data(config, data_dir, source) if config else load_data(source, data_dir, 0)


def _load_if_trained_on(
    manifest: Manifest, config: Config | None, chosen: DataConfig, data_dir: Path | None
) -> DataSet | None:
    try:
        data = load_as_in_training(config, chosen, data_dir)
    except (TrainingError, OSError) as error:
        log.debug("not the training data: %s", error)
        return None
    return data if is_trained_on(manifest, data) else None


def _load_whole(manifest: Manifest, chosen: DataConfig, data_dir: Path | None, seed: int) -> DataSet:
    """Return every row of a file or folder as the test part; of data that have parts, their own."""
    assert chosen.path is not None
    path = find_path(chosen.path, data_dir)
    source = read_source(path, chosen)
    if source.further_columns:
        names = listed([quoted(name) for name in source.further_columns])
        count = counted(len(source.further_columns), "further column")
        log.info("%s: ignored %s, which the model does not take: %s", path, count, names)
    if source.test is not None:
        log.info("%s has parts of its own: its test part is measured", path)
        return load_for(manifest, chosen, data_dir, seed)
    fill = manifest.input.fill if isinstance(manifest.input, VectorInput) else ()
    return shaped_for(manifest, prepare_whole(name_of(path), source, chosen, fill))


def _with_label(
    chosen: DataConfig, manifest: Manifest, path: str, label: str | None, data_dir: Path | None
) -> DataConfig:
    """Return how to read a file with the labels of a column, or without labels if the model's own column is absent."""
    if label is not None:
        _refuse_feature(manifest, label)
        return chosen.model_copy(update={"label": label})
    place = find_path(path, data_dir)
    if chosen.label is None or not is_table(place) or place.is_dir():
        return chosen
    from training.data.readers.tables import column_names  # pyarrow is slow to import

    if chosen.label in column_names(place, chosen):
        return chosen
    log.info("%s has no column %s, which held the labels in training", path, quoted(chosen.label))
    return chosen.model_copy(update={"label": None})


def _refuse_feature(manifest: Manifest, label: str) -> None:
    sample = manifest.input
    if isinstance(sample, VectorInput) and label in feature_columns(sample.feature_names, sample.one_hot):
        raise DataError(f"--label {label}: the model {manifest.name!r} takes this column as a feature")


def beside(held_out: DataSet, training: DataSet, has_own_labels: bool) -> DataSet:
    """Return held-out data with the training part of others, whose labels stay if they are of the same column."""
    if not has_own_labels or training.train.labels is None or held_out.test.labels is None:
        return replace(held_out, train=replace(training.train, labels=None))
    classes = tuple(dict.fromkeys((*training.classes, *held_out.classes)))
    numbers = np.array([classes.index(name) for name in held_out.classes], np.int64)
    test = replace(held_out.test, labels=numbers[held_out.test.labels])
    return replace(held_out, classes=classes, train=training.train, test=test)


def _warn_of_shared_rows(train: Split, held_out: DataSet) -> None:
    """Log how many of the rows to measure the model was trained on, which flatters it."""
    count = count_shared_rows(train, held_out.test)
    if count:
        log.warning("%s: %d of %d rows are also training rows", held_out.name, count, len(held_out.test))


def count_shared_rows(train: Split, test: Split) -> int:
    """Return the number of test rows that equal a training row."""
    known, asked = (row_digests(part.in_users_units().reshape(len(part), -1)) for part in (train, test))
    return int(np.isin(asked, known).sum())
