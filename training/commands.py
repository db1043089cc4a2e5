"""The commands of `hourglass-train`. Each takes its options, prints its result to stdout and returns the exit code."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from pathlib import Path

from pydantic import ValidationError

from app.manifest import Manifest, Measurement
from training.checks import check_fit, check_models_folder, check_run_folder
from training.config import Config, EvaluationConfig, describe_problems, load_config
from training.config.settings import FLAGS, with_settings
from training.errors import InvalidConfiguration
from training.table_options import table_flags

log = logging.getLogger(__name__)

EXPORT_SHARE = 0.1
"""Share of --max-minutes that is kept for the export and its report."""
MIN_MINUTES = 1e-9
"""Time for training if reading the data has taken all: one epoch of each stage."""


def is_first_process() -> bool:
    """Return whether this is the only process, or the first that torchrun started; needs no torch."""
    return os.environ.get("RANK", "0") == "0"


def train_command(options: argparse.Namespace) -> int:
    """Train a configuration, export a version unless --no-export is set, and print the folder that was written."""
    started = time.monotonic()
    config = override(load_config(options.config), options)
    folder = options.run_dir or Path("runs") / config.name
    check_run_folder(folder, resume=options.resume, overwrite=options.overwrite)
    if not options.no_export:
        check_models_folder(options.models_dir)
    from training.data.calibration import load_run_data  # pyarrow and scikit-learn take a second to import

    data = load_run_data(config, options.data_dir)
    check_fit(config, data)
    if is_first_process():
        print(data.findings.describe(), file=sys.stderr)
    from training.choices.choose import settle  # torch takes seconds to import, which a mistake need not wait for
    from training.fitting.runs import remove
    from training.fitting.trainer import fit

    choices = settle(config, data)
    if is_first_process() and choices.reasons:
        print(choices.describe(), file=sys.stderr)
    if options.overwrite and is_first_process():
        remove(folder)
    run = fit(
        choices.config,
        data,
        folder,
        resume=options.resume,
        max_minutes=minutes_of_training(options.max_minutes, started, exports=not options.no_export),
        accelerator=options.accelerator,
    )
    if not is_first_process():
        return 0
    if options.no_export:
        print(folder)
        return 0
    from training.exporting.export import export

    print(export(run, data, options.models_dir))
    return 0


def minutes_of_training(minutes: float | None, started: float, *, exports: bool) -> float | None:
    """Return what is left of a command's minutes, begun at a monotonic time, without the share of the export."""
    if minutes is None:
        return None
    share = 1 - EXPORT_SHARE if exports else 1.0
    return max(MIN_MINUTES, share * minutes - (time.monotonic() - started) / 60)


def export_command(options: argparse.Namespace) -> int:
    """Export a finished run and print the folder of the version."""
    from training.data.calibration import load_run_data
    from training.exporting.export import export
    from training.fitting.runs import load_run, read_config

    config = read_config(options.run_dir)
    data = load_run_data(config, options.data_dir)
    print(export(load_run(options.run_dir, data), data, options.models_dir))
    return 0


def evaluate_command(options: argparse.Namespace) -> int:
    """Measure the ONNX files of one version: JSON to stdout, a table to stderr, figures into a folder."""
    evaluation_options(None, options)  # torch takes seconds to import, which a mistake need not wait for
    from training.evaluation.held_out import load_evaluation_data
    from training.evaluation.principal import stored_principal_components
    from training.evaluation.version import evaluate_version, find_version, open_version, stored_config
    from training.exporting.report import draw_report

    folder = find_version(options.model, options.models_dir)
    model = open_version(folder)
    config = stored_config(model.manifest)
    paths = (options.data, options.test)
    chosen = load_evaluation_data(model.manifest, config, paths, options.label, options.data_dir)
    report = evaluate_version(
        model,
        config,
        chosen.data,
        evaluation_options(config, options),
        training=chosen.training,
        pca=stored_principal_components(folder),
        separation=chosen.separation,
        samples=options.samples,
        sample_seeds=options.seeds,
        anomalies=options.anomalies,
    )
    print_table(model.manifest, report.measurements, len(chosen.data.test))
    if options.report:
        options.report.mkdir(parents=True, exist_ok=True)
        draw_report(model, chosen.data, {}, report.measurements, options.report)
        log.info("figures are in %s", options.report / "figures")
    print(report.as_json())
    return 0


def override(config: Config, options: argparse.Namespace) -> Config:
    """Return the configuration with the command line's values in place of its own. Raises InvalidConfiguration."""
    flags = {flag: getattr(options, flag.removeprefix("--").replace("-", "_"), None) for flag in FLAGS}
    settings = list(options.set or [])
    if options.effort:
        settings.append(f"optimisation.effort={options.effort}")
    return with_settings(config, settings, flags | table_flags(options))


def evaluation_options(config: Config | None, options: argparse.Namespace) -> EvaluationConfig:
    """Return the configuration's options with the command line's in their place. Raises InvalidConfiguration."""
    changed = config.evaluation.model_dump() if config else {}
    for name in ("importance_samples", "noise_kinds", "noise_amounts"):
        if getattr(options, name) is not None:
            changed[name] = getattr(options, name)
    try:
        return EvaluationConfig.model_validate(changed)
    except ValidationError as error:
        flags = {name: "--" + name.replace("_", "-") for name in EvaluationConfig.model_fields}
        raise InvalidConfiguration(
            describe_problems(error, place=lambda path: f"{flags.get(path.partition('.')[0], path)}: ")
        ) from error


def print_table(manifest: Manifest, measurements: tuple[Measurement, ...], rows: int) -> None:
    """Print the measurements of so many test rows as tables to stderr."""
    from rich.console import Console
    from rich.table import Table

    from training.evaluation.rounding import shown

    console = Console(stderr=True)
    for measurement in measurements:
        title = f"{manifest.name}/{manifest.version}: {measurement.data_set}"
        table = Table("measure", "value", title=title, caption=measurement.protocol, title_justify="left")
        for name, value in measurement.values.items():
            table.add_row(name, shown(name, value, rows))
        console.print(table)
