"""Evaluate a version of the model repository: find it, choose the data to measure it on, measure it."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from app.distribution import bundled_models
from app.engine.autoencoder import Autoencoder
from app.engine.process import available_cores
from app.engine.repository import load_version
from app.inputs import ArrayInput, ImageInput, ModelInput, ValueRange, VectorInput
from app.manifest import Manifest, Measurement
from training.config import Config, DataConfig, EvaluationConfig, TableOptions, describe_problems, with_later_sections
from training.data.dataset import DataSet
from training.data.load import find_path, is_table, load_data
from training.data.readers.mnist import holds_mnist
from training.data.tables.matching import feature_columns
from training.data.tables.text import is_text_table
from training.errors import InvalidConfiguration, RunError
from training.evaluation.alarms import alarms
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.evaluate import evaluate
from training.evaluation.measures.generation import SEEDS
from training.evaluation.untrained import untrained
from training.preprocessing import fit_preprocessing

log = logging.getLogger(__name__)

ANY_NUMBER = (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))
"""The range of all that can be stored. As any range that is stated, it leaves stored numbers as they are."""


@dataclass(frozen=True)
class VersionReport:
    """The measurements of a version, and warnings about them."""

    manifest: Manifest
    measurements: tuple[Measurement, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> str:
        """Return the report as indented JSON."""
        report = {
            "model": self.manifest.name,
            "version": self.manifest.version,
            "metrics": [measurement.model_dump() for measurement in self.measurements],
            "warnings": self.warnings,
        }
        return json.dumps(report, indent=2)


def find_version(model: str, models_dir: Path) -> Path:
    """
    Return a version's folder for a path, NAME/VERSION or NAME, which stands for its largest version.

    Names are those of the repository, or else of the models that come with the package. Raises RunError if there is
    none.
    """
    bundled = bundled_models()
    for folder in (Path(model), models_dir / model, *([bundled / model] if bundled else [])):
        if folder.is_dir():
            folder = folder.resolve()
            if folder.name.isdecimal():
                return folder
            versions = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
            if versions:
                return folder / str(max(versions))
    raise RunError(f"no version of a model at {model} or {models_dir / model}")


def open_version(folder: Path) -> Autoencoder:
    """Load a version's graphs, to run on all cores. Raises InvalidModel."""
    return load_version(folder, folder.parent.name, int(folder.name), available_cores())


def stored_config(manifest: Manifest) -> Config | None:
    """Return the configuration that a model was trained with; None if it was imported. Raises InvalidConfiguration."""
    if manifest.training is None:
        return None
    try:
        return Config.model_validate(with_later_sections(manifest.training.configuration))
    except ValidationError as error:
        raise InvalidConfiguration(f"{manifest.name}: its configuration: {describe_problems(error)}") from error


def choose_data(manifest: Manifest, config: Config | None, path: str | None, data_dir: Path | None) -> DataConfig:
    """
    Return how to read the data at a path, or the model's own data without a path, so that they fit the model.

    Raises RunError if there is neither, and DataError if there is nothing at the path.
    """
    if path is None:
        if config is None:
            raise RunError(f"{manifest.name} was not trained here: --data must name the data to measure it on")
        return config.data
    place = find_path(path, data_dir)
    own = config.data if config else DataConfig()
    value_range, shape = manifest.input.value_range, manifest.input.shape
    is_image = isinstance(manifest.input, ImageInput)
    is_image_folder = is_image and place.is_dir() and not holds_mnist(place)
    has_default_range = is_image and value_range == ValueRange(low=0, high=1)  # 8 bits stand for it, as stored
    limits = (value_range.low, value_range.high) if value_range and not has_default_range else None
    if limits and manifest.input.range_origin == "found":  # numbers beyond it are clipped later, and counted
        limits = ANY_NUMBER
    return own.model_copy(
        update={
            "name": None,
            "path": path,
            "test_path": None,
            "kind": None if place.is_dir() else "image" if is_image else "vector",
            "samples": own.samples if place.suffix == ".npz" else None,
            "label": None if place.is_dir() else own.label,
            "parts": own.parts if is_image_folder else "folders",
            "image_size": tuple(shape[1:]) if is_image_folder else None,
            "colour": ("rgb" if shape[0] == 3 else "grey") if is_image_folder else None,
            **(_pixel_options(manifest.input) if is_image_folder else {"background": None, "bits": None}),
            **_table_options(manifest.input, own, place),
            "value_range": limits,
        }
    )


def load_for(manifest: Manifest, data_config: DataConfig, data_dir: Path | None, seed: int) -> DataSet:
    """Load data; samples for a model of arrays get its shape. Raises DataError."""
    return shaped_for(manifest, load_data(data_config, data_dir, seed))


def shaped_for(manifest: Manifest, data: DataSet) -> DataSet:
    """Return data whose samples have the shape of a model of arrays; they were read as flat rows."""
    shape = tuple(manifest.input.shape)
    if not isinstance(manifest.input, ArrayInput) or math.prod(data.input.shape) != math.prod(shape):
        return data
    train, validation, test = (
        replace(part, samples=part.samples.reshape(len(part), *shape))
        for part in (data.train, data.validation, data.test)
    )
    calibration = data.calibration
    if calibration:
        calibration = replace(calibration, samples=calibration.samples.reshape(len(calibration), *shape))
    return replace(data, train=train, validation=validation, test=test, calibration=calibration)


def _pixel_options(model_input: ModelInput) -> dict[str, object]:
    """Return how a folder of images is read so that its numbers mean what those of the model do."""
    assert isinstance(model_input, ImageInput)
    ground = model_input.background * (3 if len(model_input.background) == 1 else 1)
    return {
        "background": "#" + "".join(f"{number:02x}" for number in ground) if ground else None,
        "bits": None if model_input.bits == 16 and model_input.levels is None else model_input.bits,
    }


def _table_options(sample: ModelInput, own: DataConfig, place: Path) -> dict[str, Any]:
    """Return how to read another table: the same columns, encoded alike; for other files, no such options."""
    options: dict[str, Any] = TableOptions().model_dump()
    if is_text_table(place):
        options |= own.model_dump(include={"separator", "decimal", "encoding", "header"})
    if is_table(place) and isinstance(sample, VectorInput) and sample.feature_names:
        columns = feature_columns(sample.feature_names, sample.one_hot)
        options |= {"columns": columns, "missing": own.missing, "one_hot": sample.one_hot or False}
    return options


def evaluate_version(
    model: Autoencoder,
    config: Config | None,
    data: DataSet,
    options: EvaluationConfig,
    *,
    training: DataSet | None = None,
    pca: LinearAutoencoder | None = None,
    separation: bool = False,
    samples: bool = False,
    sample_seeds: int = SEEDS,
    anomalies: bool = False,
) -> VersionReport:
    """
    Measure a model on data, and log the warnings.

    With the data of its training, the untrained network is measured too, and PCA is fitted on them; otherwise PCA is
    `pca`, or fitted on the data themselves. Raises DataError.
    """
    manifest, reference = model.manifest, None
    if training is None:
        log.warning("%s: its training data are not at hand; PCA is described in the protocol", manifest.name)
    elif config:
        reference, pca = untrained(config, training, fit_preprocessing(config, training)), None
    measurements = evaluate(
        model,
        data,
        options,
        reference,
        binarisation=config.binarisation if config else "none",
        pca=pca,
        separation=separation,
        samples=samples,
        sample_seeds=sample_seeds,
        anomalies=anomalies,
    )
    warnings = alarms(measurements, {}, manifest, cut_short=bool(manifest.training and manifest.training.cut_short))
    for warning in warnings:
        log.warning("%s: %s", manifest.name, warning)
    return VersionReport(manifest, measurements, warnings)
