"""The command `hourglass-train`: train, evaluate, export. Progress goes to stderr, the result to stdout."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler

from app.errors import HourglassError
from training.commands import described, evaluate_command, export_command, train_command
from training.config import bundled_configs
from training.errors import TrainingError

MODELS_DIR = Path(os.environ.get("HOURGLASS_MODELS_DIR", "models"))
FIRST_RANK = os.environ.get("RANK", "0") == "0"
"""Of the processes that torchrun started this one speaks: what stops a run stops all of them alike."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code: 0, 1 after an error that the user can mend, 130 after Ctrl-C."""
    options = build_parser().parse_args(arguments)
    configure_logging()
    try:
        exit_code: int = options.command(options)
    except (TrainingError, HourglassError, OSError) as error:
        if FIRST_RANK:
            print(f"hourglass-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if FIRST_RANK:
            print("hourglass-train: interrupted; train --resume goes on after the last whole epoch", file=sys.stderr)
        return 130
    return exit_code


def build_parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(prog="hourglass-train", description=__doc__)
    parser.add_argument("--version", action="version", version=version("hourglass"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _train_parser(commands.add_parser("train", help="train, evaluate, draw and export a model"))
    _evaluate_parser(commands.add_parser("evaluate", help="measure a model of the repository; JSON to stdout"))

    export = commands.add_parser("export", help="export a finished run to the model repository")
    export.set_defaults(command=export_command)
    export.add_argument("run_dir", metavar="RUN", type=Path, help="the run's folder")
    _shared_options(export)
    return parser


def _train_parser(train: argparse.ArgumentParser) -> None:
    train.set_defaults(command=train_command)
    bundled = ", ".join(bundled_configs())
    train.add_argument("config", metavar="CONFIG", help=f"a YAML file, or one of: {bundled}")
    _data_option(train)
    train.add_argument("--label", help="column or member that holds labels, in place of the configuration's")
    train.add_argument("--name", help="the model's name, in place of the configuration's")
    _shared_options(train)
    train.add_argument("--run-dir", type=Path, help="folder of checkpoints and logs (runs/NAME)")
    train.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    train.add_argument("--overwrite", action="store_true", help="delete the run in the folder and start again")
    train.add_argument("--max-minutes", type=_positive, help="stop at the end of the epoch after this time")
    train.add_argument("--epochs", type=int, help=f"in place of the configuration's; {described('epochs')}")
    train.add_argument("--seed", type=int, help=f"in place of the configuration's; {described('seed')}")
    train.add_argument("--accelerator", choices=["auto", "cpu", "gpu"], default="auto", help="default: auto")
    train.add_argument("--no-export", action="store_true", help="only train; the command export does the rest")


def _evaluate_parser(evaluate: argparse.ArgumentParser) -> None:
    evaluate.set_defaults(command=evaluate_command)
    evaluate.add_argument("model", metavar="MODEL", help="NAME, NAME/VERSION, or a version's folder")
    _data_option(evaluate)
    _shared_options(evaluate)
    evaluate.add_argument(
        "--importance-samples", type=int, metavar="K", help="draws a sample in the estimate of log p(x); 0: none"
    )
    evaluate.add_argument("--noise-kinds", nargs="+", metavar="KIND", help="gaussian, masking, salt-and-pepper")
    evaluate.add_argument("--noise-amounts", nargs="+", type=float, metavar="AMOUNT", help="each with each kind")
    evaluate.add_argument("--report", type=Path, metavar="DIR", help="draw the pictures too, into DIR/figures")


def configure_logging() -> None:
    """Lines on stderr: in columns on a terminal, plain in a file."""
    level = logging.INFO if FIRST_RANK else logging.ERROR
    if sys.stderr.isatty():
        handler = RichHandler(console=Console(stderr=True), show_path=False, show_level=False)
        logging.basicConfig(level=level, format="%(message)s", handlers=[handler], force=True)
    else:
        logging.basicConfig(level=level, format="%(asctime)s %(message)s", stream=sys.stderr, force=True)


def _data_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="PATH",
        help=".npy, .npz, .csv, .parquet or IDX file, or a folder of images, in place of the configuration's",
    )


def _shared_options(parser: argparse.ArgumentParser) -> None:
    data_dir = os.environ.get("HOURGLASS_DATA_DIR")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(data_dir) if data_dir else None,
        help="folder of data sets (HOURGLASS_DATA_DIR); without it MNIST is downloaded once",
    )
    parser.add_argument(
        "--models-dir", type=Path, default=MODELS_DIR, help="the model repository (HOURGLASS_MODELS_DIR, models)"
    )


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
