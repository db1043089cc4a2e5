"""The command `hourglass-train`: train, evaluate, export. Progress goes to stderr, the result to stdout."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

from app.errors import HourglassError
from app.manifest import Manifest, Measurement
from training.config import Config, OptimisationConfig, bundled_configs, describe_problems, load_config
from training.errors import InvalidConfiguration, RunError, TrainingError

MODELS_DIR = Path(os.environ.get("HOURGLASS_MODELS_DIR", "models"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code: 0, 1 after an error that the user can mend, 130 after Ctrl-C."""
    options = build_parser().parse_args(arguments)
    configure_logging()
    try:
        exit_code: int = options.command(options)
    except (TrainingError, HourglassError, OSError) as error:
        print(f"hourglass-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("hourglass-train: interrupted; train --resume goes on after the last whole epoch", file=sys.stderr)
        return 130
    return exit_code


def build_parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(prog="hourglass-train", description=__doc__)
    parser.add_argument("--version", action="version", version=version("hourglass"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train, evaluate, draw and export a model")
    train.set_defaults(command=train_command)
    bundled = ", ".join(bundled_configs())
    train.add_argument("config", metavar="CONFIG", help=f"a YAML file, or one of: {bundled}")
    _shared_options(train)
    train.add_argument("--run-dir", type=Path, help="folder of checkpoints and logs (runs/NAME)")
    train.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    train.add_argument("--overwrite", action="store_true", help="delete the run in the folder and start again")
    train.add_argument("--max-minutes", type=_positive, help="stop at the end of the epoch after this time")
    train.add_argument("--epochs", type=int, help=f"in place of the configuration's; {_doc('epochs')}")
    train.add_argument("--seed", type=int, help=f"in place of the configuration's; {_doc('seed')}")
    train.add_argument("--accelerator", choices=["auto", "cpu", "gpu"], default="auto", help="default: auto")
    train.add_argument("--no-export", action="store_true", help="only train; the command export does the rest")

    evaluate = commands.add_parser("evaluate", help="measure a model of the repository; JSON to stdout")
    evaluate.set_defaults(command=evaluate_command)
    evaluate.add_argument("model", metavar="MODEL", help="NAME, NAME/VERSION, or a version's folder")
    _shared_options(evaluate)

    export = commands.add_parser("export", help="export a finished run to the model repository")
    export.set_defaults(command=export_command)
    export.add_argument("run_dir", metavar="RUN", type=Path, help="the run's folder")
    _shared_options(export)
    return parser


def train_command(options: argparse.Namespace) -> int:
    """Train a configuration; unless told otherwise, write a version of the model and print its folder."""
    from training.data import load_data
    from training.runs import remove
    from training.trainer import fit

    if options.resume and options.overwrite:
        raise RunError("--resume and --overwrite exclude each other")
    config = _override(load_config(options.config), options)
    folder = options.run_dir or Path("runs") / config.name
    data = load_data(config.data, options.data_dir, config.optimisation.seed)
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
    """Measure the ONNX files of one version: JSON to stdout, a table to stderr."""
    from app.engine.repository import load_version
    from app.engine.threads import available_cores
    from training.data import load_data
    from training.evaluation import evaluate

    folder = find_version(options.model, options.models_dir)
    if not folder.name.isdecimal():
        raise RunError(f"{folder} is not a version's folder")
    model = load_version(folder, folder.parent.name, int(folder.name), available_cores())
    config = _trained_with(model.manifest)
    data = load_data(config.data, options.data_dir, config.optimisation.seed)
    if model.manifest.training and model.manifest.training.data_fingerprint != data.fingerprint():
        logging.warning("the data are not those that %s was trained with", model.manifest.name)
    measurements = evaluate(model, data, config)
    print_table(model.manifest, measurements)
    result = {
        "model": model.manifest.name,
        "version": model.manifest.version,
        "metrics": [measurement.model_dump() for measurement in measurements],
    }
    print(json.dumps(result, indent=2))
    return 0


def find_version(model: str, models_dir: Path) -> Path:
    """A version's folder from a path, NAME/VERSION, or NAME alone, which means its largest version."""
    for folder in (Path(model), models_dir / model):
        if folder.is_dir():
            folder = folder.resolve()
            if folder.name.isdecimal():
                return folder
            versions = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
            if versions:
                return folder / str(max(versions))
    raise RunError(f"no version of a model at {model} or {models_dir / model}")


def print_table(manifest: Manifest, measurements: Sequence[Measurement]) -> None:
    """The numbers for a person, on stderr."""
    console = Console(stderr=True)
    for measurement in measurements:
        title = f"{manifest.name}/{manifest.version}: {measurement.data_set}"
        table = Table("measure", "value", title=title, caption=measurement.protocol, title_justify="left")
        for name, value in measurement.values.items():
            table.add_row(name, f"{value:.5g}")
        console.print(table)


def configure_logging() -> None:
    """Lines on stderr: in columns on a terminal, plain in a file."""
    if sys.stderr.isatty():
        handler = RichHandler(console=Console(stderr=True), show_path=False, show_level=False)
        logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler], force=True)
    else:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr, force=True)


def _shared_options(parser: argparse.ArgumentParser) -> None:
    data_dir = os.environ.get("HOURGLASS_DATA_DIR")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(data_dir) if data_dir else None,
        help="folder of data sets (HOURGLASS_DATA_DIR); without it they are downloaded once",
    )
    parser.add_argument(
        "--models-dir", type=Path, default=MODELS_DIR, help="the model repository (HOURGLASS_MODELS_DIR, models)"
    )


def _override(config: Config, options: argparse.Namespace) -> Config:
    given = {name: getattr(options, name) for name in ("epochs", "seed") if getattr(options, name) is not None}
    if not given:
        return config
    try:
        optimisation = OptimisationConfig.model_validate({**config.optimisation.model_dump(), **given})
    except ValidationError as error:
        raise InvalidConfiguration(f"--{describe_problems(error)}") from error
    return config.model_copy(update={"optimisation": optimisation})


def _trained_with(manifest: Manifest) -> Config:
    if manifest.training is None:
        raise RunError(f"{manifest.name} was not trained here: its manifest names no configuration")
    try:
        return Config.model_validate(manifest.training.configuration)
    except ValidationError as error:
        raise InvalidConfiguration(f"{manifest.name}: its configuration: {describe_problems(error)}") from error


def _doc(field: str) -> str:
    default = OptimisationConfig.model_fields[field].default
    return "required there" if repr(default) == "PydanticUndefined" else f"{default} where that has none"


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
