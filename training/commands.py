"""What the commands of `hourglass-train` do, once their options are read."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from app.manifest import ImageInput, Manifest, Measurement, ValueRange
from training.config import Config, DataConfig, EvaluationConfig, OptimisationConfig, describe_problems, load_config
from training.errors import InvalidConfiguration, RunError

log = logging.getLogger(__name__)


def train_command(options: argparse.Namespace) -> int:
    """Train a configuration; unless told otherwise, write a version of the model and print its folder."""
    from training.data import load_data
    from training.ranks import is_first_rank
    from training.runs import remove
    from training.trainer import fit

    if options.resume and options.overwrite:
        raise RunError("--resume and --overwrite exclude each other")
    config = overridden(load_config(options.config), options)
    folder = options.run_dir or Path("runs") / config.name
    data = load_data(config.data, options.data_dir, config.optimisation.seed)
    if is_first_rank():
        print(data.findings.describe(), file=sys.stderr)
        if options.overwrite:
            remove(folder)
    run = fit(
        config,
        data,
        folder,
        resume=options.resume,
        max_minutes=options.max_minutes,
        accelerator=options.accelerator,
    )
    if not is_first_rank():
        return 0
    if options.no_export:
        print(folder)
        return 0
    from training.export import export

    print(export(run, data, options.models_dir))
    return 0


def export_command(options: argparse.Namespace) -> int:
    """Export a finished run and print the folder of the version."""
    from training.data import load_data
    from training.export import export
    from training.runs import load_run, read_config

    config = read_config(options.run_dir)
    data = load_data(config.data, options.data_dir, config.optimisation.seed)
    print(export(load_run(options.run_dir, data), data, options.models_dir))
    return 0


def evaluate_command(options: argparse.Namespace) -> int:
    """Measure the ONNX files of one version: JSON to stdout, a table to stderr, pictures into a folder."""
    from app.engine.repository import load_version
    from app.engine.process import available_cores
    from training.alarms import alarms
    from training.data import load_data
    from training.evaluation import evaluate
    from training.report import draw_report

    folder = find_version(options.model, options.models_dir)
    model = load_version(folder, folder.parent.name, int(folder.name), available_cores())
    config = trained_with(model.manifest)
    seed = config.optimisation.seed if config else 0
    data = load_data(data_to_measure(model.manifest, config, options.data, options.data_dir), options.data_dir, seed)
    trained = model.manifest.training
    same_data = trained is not None and trained.data_fingerprint == data.fingerprint()
    if not same_data:
        log.warning("the data are not those that %s was trained with", model.manifest.name)
    blank = None
    if config and same_data:
        from training.preprocessing import fit_preprocessing
        from training.untrained import untrained

        blank = untrained(config, data, fit_preprocessing(config, data))
    asked = evaluation_options(config, options)
    binarisation = config.binarisation if config else "none"
    measurements = evaluate(model, data, asked, blank, binarisation=binarisation)
    print_table(model.manifest, measurements)
    if options.report:
        options.report.mkdir(parents=True, exist_ok=True)
        draw_report(model, data, {}, measurements, options.report)
        log.info("pictures are in %s", options.report / "figures")
    warnings = alarms(measurements, {})
    for warning in warnings:
        log.warning("%s: %s", model.manifest.name, warning)
    result = {
        "model": model.manifest.name,
        "version": model.manifest.version,
        "metrics": [measurement.model_dump() for measurement in measurements],
        "warnings": warnings,
    }
    print(json.dumps(result, indent=2))
    return 0


def overridden(config: Config, options: argparse.Namespace) -> Config:
    """The configuration with what the command line says in its place. Raises InvalidConfiguration."""
    changed = config.model_dump()
    if options.data:
        changed["data"] |= {"name": None, "path": options.data}
    if options.label:
        changed["data"]["label"] = options.label
    for name in ("epochs", "seed"):
        if getattr(options, name) is not None:
            changed["optimisation"][name] = getattr(options, name)
    if options.name:
        changed["name"] = options.name
    try:
        return Config.model_validate(changed)
    except ValidationError as error:
        raise InvalidConfiguration(f"the command line: {describe_problems(error)}") from error


def evaluation_options(config: Config | None, options: argparse.Namespace) -> EvaluationConfig:
    """What the model's configuration asks for, with the command line's options in its place."""
    asked = config.evaluation.model_dump() if config else {}
    for name in ("importance_samples", "noise_kinds", "noise_amounts"):
        if getattr(options, name) is not None:
            asked[name] = getattr(options, name)
    try:
        return EvaluationConfig.model_validate(asked)
    except ValidationError as error:
        raise InvalidConfiguration(f"--{describe_problems(error)}".replace("_", "-")) from error


def data_to_measure(manifest: Manifest, config: Config | None, path: str | None, data_dir: Path | None) -> DataConfig:
    """The model's own data, or those at a path, read so that they fit the model. Raises RunError and DataError."""
    if path is None:
        if config is None:
            raise RunError(f"{manifest.name} was not trained here: --data must name what it is measured on")
        return config.data
    from training.data import find_path, holds_mnist

    place = find_path(path, data_dir)
    own = config.data if config else DataConfig()
    folder, archive = place.is_dir() and not holds_mnist(place), place.suffix == ".npz"
    value_range, shape = manifest.input.value_range, manifest.input.shape
    image = isinstance(manifest.input, ImageInput)
    bytes_are_shares = image and value_range == ValueRange(low=0, high=1)
    return own.model_copy(
        update={
            "name": None,
            "path": path,
            "kind": None if place.is_dir() else manifest.input.kind,
            "samples": own.samples if archive else None,
            "label": None if place.is_dir() else own.label,
            "image_size": tuple(shape[1:]) if folder and image else None,
            "colour": ("rgb" if shape[0] == 3 else "grey") if folder and image else None,
            "value_range": (value_range.low, value_range.high) if value_range and not bytes_are_shares else None,
        }
    )


def find_version(model: str, models_dir: Path) -> Path:
    """
    A version's folder from a path, NAME/VERSION, or NAME alone, which means its largest version.

    Raises RunError where there is none.
    """
    for folder in (Path(model), models_dir / model):
        if folder.is_dir():
            folder = folder.resolve()
            if folder.name.isdecimal():
                return folder
            versions = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
            if versions:
                return folder / str(max(versions))
    raise RunError(f"no version of a model at {model} or {models_dir / model}")


def trained_with(manifest: Manifest) -> Config | None:
    """The configuration of a model that was trained here. Raises InvalidConfiguration."""
    if manifest.training is None:
        return None
    try:
        return Config.model_validate(manifest.training.configuration)
    except ValidationError as error:
        raise InvalidConfiguration(f"{manifest.name}: its configuration: {describe_problems(error)}") from error


def print_table(manifest: Manifest, measurements: Sequence[Measurement]) -> None:
    """The numbers for a person, on stderr."""
    console = Console(stderr=True)
    for measurement in measurements:
        title = f"{manifest.name}/{manifest.version}: {measurement.data_set}"
        table = Table("measure", "value", title=title, caption=measurement.protocol, title_justify="left")
        for name, value in measurement.values.items():
            table.add_row(name, f"{value:.5g}")
        console.print(table)


def described(field: str) -> str:
    """The default of an option that a configuration has too, for its help."""
    default = OptimisationConfig.model_fields[field].default
    return "required there" if repr(default) == "PydanticUndefined" else f"{default} where that has none"
