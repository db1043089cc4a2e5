"""The argument parser of the command `hourglass-train`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from app.distribution import installed_version
from training.commands import evaluate_command, export_command, train_command
from training.comparing.commands import compare_command, list_command
from training.config import OptimisationConfig, bundled_configs
from training.priors.commands import prior_command
from training.scorers.commands import scorer_command
from training.table_options import add_table_options

DESCRIPTION = "Train, evaluate and export autoencoders. Progress goes to stderr, the result to stdout."


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; each command sets `command` to a function of the options."""
    parser = argparse.ArgumentParser(prog="hourglass-train", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=installed_version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train_options(commands.add_parser("train", help="train, evaluate and export a model"))
    _add_evaluate_options(commands.add_parser("evaluate", help="measure a model of the repository; JSON to stdout"))

    export = commands.add_parser("export", help="export a finished run to the model repository")
    export.set_defaults(command=export_command)
    export.add_argument("run_dir", metavar="RUN", type=Path, help="the run's folder")
    _add_shared_options(export)
    _add_prior_options(commands.add_parser("prior", help="add a prior to a version, so that it generates"))
    _add_scorer_options(commands.add_parser("scorer", help="add a scorer of anomalies to a version"))
    _add_compare_options(commands.add_parser("compare", help="train several configurations on the same rows"))
    _add_list_options(commands.add_parser("list", help="compare all versions of the repository"))
    return parser


def _add_train_options(train: argparse.ArgumentParser) -> None:
    train.set_defaults(command=train_command)
    train.add_argument("config", metavar="CONFIG", help=_config_help())
    _add_training_options(train)
    train.add_argument("--run-dir", type=Path, help="folder of checkpoints and logs (default: runs/NAME)")
    train.add_argument("--no-export", action="store_true", help="only train; the command export does the rest")


def _add_compare_options(compare: argparse.ArgumentParser) -> None:
    compare.set_defaults(command=compare_command)
    compare.add_argument("configs", nargs="+", metavar="CONFIG", help=_config_help())
    _add_training_options(compare)
    compare.add_argument(
        "--run-dir", type=Path, default=Path("runs/compare"), help="folder of the runs (default: runs/compare)"
    )
    compare.add_argument("--export", action="store_true", help="export the configuration that is best on validation")
    compare.add_argument("--json", action="store_true", help="print JSON in place of a table")


def _add_list_options(versions: argparse.ArgumentParser) -> None:
    versions.set_defaults(command=list_command)
    _add_models_option(versions)
    versions.add_argument("--json", action="store_true", help="print JSON in place of a table")


def _config_help() -> str:
    return f"a YAML file, or one of: {', '.join(bundled_configs())}"


def _add_training_options(train: argparse.ArgumentParser) -> None:
    """Add the options of data and of optimisation, which all commands that train have."""
    _add_data_option(train)
    train.add_argument("--test", metavar="PATH", help="another file or folder, whose rows are the test part")
    train.add_argument("--kind", choices=["image", "vector"], help="vector: flatten arrays, such as windows of series")
    train.add_argument("--samples", metavar="MEMBER", help="the member of a .npz file that holds the samples")
    train.add_argument("--label", help="column or member that holds labels, in place of the configuration's")
    train.add_argument(
        "--image-size", nargs=2, type=int, metavar=("H", "W"), help="height and width that the images are resized to"
    )
    train.add_argument(
        "--background", metavar="COLOUR", help="the colour under transparent pixels of images (default: black)"
    )
    train.add_argument("--name", help="the model's name, in place of the configuration's")
    add_table_options(train)
    _add_shared_options(train)
    train.add_argument("--resume", action="store_true", help="continue the run in the folder")
    train.add_argument("--overwrite", action="store_true", help="delete the run in the folder and start again")
    train.add_argument(
        "--max-minutes", type=_positive, help="time of the whole command; training stops at the end of an epoch"
    )
    effort = train.add_mutually_exclusive_group()
    effort.add_argument("--quick", dest="effort", action="store_const", const="quick", help="a fifth of the steps")
    effort.add_argument(
        "--thorough", dest="effort", action="store_const", const="thorough", help="four times the steps"
    )
    train.add_argument("--epochs", type=int, help=_override_help("epochs"))
    train.add_argument("--seed", type=int, help=_override_help("seed"))
    train.add_argument(
        "--set",
        action="append",
        metavar="SECTION.OPTION=VALUE",
        help="any option of the configuration, such as network.latent_dim=8; may be repeated",
    )
    train.add_argument("--accelerator", choices=["auto", "cpu", "gpu"], default="auto", help="default: auto")


def _add_evaluate_options(evaluate: argparse.ArgumentParser) -> None:
    evaluate.set_defaults(command=evaluate_command)
    evaluate.add_argument("model", metavar="MODEL", help="NAME, NAME/VERSION, or a version's folder")
    evaluate.add_argument("--data", metavar="PATH", help="held-out data, all rows of which are measured")
    evaluate.add_argument(
        "--test", metavar="PATH", help="the same; with both, --data is what the baselines are fitted on"
    )
    evaluate.add_argument("--label", metavar="COLUMN", help="labels, to measure how the model tells them apart")
    _add_shared_options(evaluate)
    evaluate.add_argument(
        "--importance-samples",
        type=int,
        metavar="K",
        help="samples per test row in the estimate of log p(x); 0 for no estimate",
    )
    evaluate.add_argument("--noise-kinds", nargs="+", metavar="KIND", help="gaussian, masking, salt-and-pepper")
    evaluate.add_argument(
        "--noise-amounts", nargs="+", type=float, metavar="AMOUNT", help="amounts of each kind of noise"
    )
    evaluate.add_argument("--samples", action="store_true", help="also measure generated samples, beside training rows")
    evaluate.add_argument(
        "--seeds",
        type=_count,
        default=3,
        metavar="N",
        help="draws of these samples whose mean is measured (default: 3)",
    )
    evaluate.add_argument(
        "--anomalies", action="store_true", help="also measure other detectors beside the scorer; needs labels"
    )
    evaluate.add_argument("--report", type=Path, metavar="DIR", help="also draw the figures, into DIR/figures")


def _add_prior_options(prior: argparse.ArgumentParser) -> None:
    prior.set_defaults(command=prior_command)
    prior.add_argument("model", metavar="MODEL", help="NAME, NAME/VERSION, or a version's folder")
    prior.add_argument(
        "--data", metavar="PATH", help="data to fit it on, in place of those that the model was trained on"
    )
    prior.add_argument("--label", metavar="COLUMN", help="the labels of a conditional model")
    prior.add_argument(
        "--kind",
        choices=["auto", "gmm", "realnvp", "flow-matching", "normal"],
        help="auto: a mixture, unless N(0, I) fits a variational model",
    )
    prior.add_argument("--components", type=int, metavar="K", help="Gaussians in the mixture (default: by the data)")
    prior.add_argument("--covariance", choices=["auto", "full", "diagonal"], help="of each Gaussian (default: auto)")
    _add_shared_options(prior)


def _add_scorer_options(scorer: argparse.ArgumentParser) -> None:
    scorer.set_defaults(command=scorer_command)
    scorer.add_argument("model", metavar="MODEL", help="NAME, NAME/VERSION, or a version's folder")
    scorer.add_argument(
        "--data", metavar="PATH", help="normal rows to fit it on, in place of the data that the model was trained on"
    )
    scorer.add_argument(
        "--bank-rows", type=int, metavar="N", help="rows among which the nearest are looked for (default: 10 000)"
    )
    _add_shared_options(scorer)


def _add_data_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        metavar="PATH",
        help=".npy, .npz, .csv, .tsv, .parquet or IDX file, or a folder of images, in place of the configuration's",
    )


def _add_shared_options(parser: argparse.ArgumentParser) -> None:
    data_dir = os.environ.get("HOURGLASS_DATA_DIR")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(data_dir) if data_dir else None,
        help="folder of data sets (HOURGLASS_DATA_DIR); without it, MNIST is downloaded once",
    )
    _add_models_option(parser)


def _add_models_option(parser: argparse.ArgumentParser) -> None:
    models_dir = os.environ.get("HOURGLASS_MODELS_DIR", "models")
    parser.add_argument(
        "--models-dir",
        type=Path,
        default=Path(models_dir),
        help="the model repository (HOURGLASS_MODELS_DIR; default: models)",
    )


def _override_help(field: str) -> str:
    """Return the help of an option that overrides a field of the configuration."""
    info = OptimisationConfig.model_fields[field]
    default = "" if info.is_required() else f", which is {info.default} by default"
    return f"in place of the configuration's {field}{default}"


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text}")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value
