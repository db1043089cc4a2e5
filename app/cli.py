"""The command line: its options, and the functions that run the commands."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import structlog
from pydantic import ValidationError

from app.errors import HourglassError
from app.logs import configure_logging
from app.serving.run import serve
from app.settings import PREFIX, Settings, unknown_variables

TERMINATED_EXIT_CODE = 143
"""Exit code of a command that SIGTERM ends before it is finished."""


def run_command(arguments: Sequence[str] | None) -> int:
    """Run a command and return its exit code: 0, or 1 and a message for an error that the user can correct."""
    options = build_parser().parse_args(arguments)
    if options.command is not serve_command:  # what it has half written must be removed
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED_EXIT_CODE))
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except HourglassError as error:
        print(f"hourglass: {error}", file=sys.stderr)
        return 1


def serve_command(_: argparse.Namespace) -> int:
    """Serve until a signal ends the server. Raises StartupError if it cannot start."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = PREFIX + str(problem["loc"][0]).upper()
            print(f"hourglass: {name}: {problem['msg']}, got {problem['input']!r}", file=sys.stderr)
        return 1
    configure_logging(settings.log_level)
    for name in unknown_variables():
        structlog.get_logger(__name__).warning("unknown setting ignored", variable=name)
    return serve(settings)


def _run_import(options: argparse.Namespace) -> int:
    from app.commands import import_command  # only these commands need their imports

    return import_command(options)


def _run_check(options: argparse.Namespace) -> int:
    from app.commands import check_command

    return check_command(options)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser. Serving has environment variables as options, which work alike in shells and containers."""
    variables = "\n".join(
        f"  {PREFIX + name.upper():32} {field.description} [{field.default}]"
        for name, field in Settings.model_fields.items()
    )
    parser = argparse.ArgumentParser(
        prog="hourglass",
        description="Serve a model repository, import models into it, or check it.",
        epilog=f"environment variables of serve:\n{variables}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version("hourglass"))
    parser.set_defaults(command=serve_command)
    commands = parser.add_subparsers(metavar="COMMAND")
    commands.add_parser("serve", help="serve the models (default)")
    _import_parser(commands.add_parser("import", help="write a version from an encoder and a decoder in ONNX"))
    _key_parser(commands.add_parser("key", help="make an API key"))
    _check_parser(commands.add_parser("check", help="check the versions of a repository"))
    return parser


def _import_parser(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_run_import)
    parser.add_argument("--encoder", type=Path, required=True, metavar="FILE", help="ONNX graph: samples to latents")
    parser.add_argument("--decoder", type=Path, metavar="FILE", help="ONNX graph: latents to samples")
    parser.add_argument("--name", required=True, help="name of the model")
    _models_dir_option(parser)
    parser.add_argument(
        "--range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="smallest and largest number of a sample"
    )
    parser.add_argument(
        "--shape",
        nargs="+",
        type=_positive,
        metavar="N",
        help="shape of a sample: features; channels, height, width; or any other",
    )
    parser.add_argument("--layout", choices=["channels-first", "channels-last"], help="layout of the graphs' images")
    _meaning_options(parser)
    parser.add_argument("--logits", action="store_true", help="add a sigmoid, because the decoder gives logits")
    parser.add_argument(
        "--denoises", action="store_true", help="offer the task denoise, because the model removes noise"
    )
    parser.add_argument(
        "--feature-names", nargs="+", default=[], metavar="NAME", help="names of the columns of a table"
    )
    parser.add_argument("--description", metavar="TEXT", help="describe the model in one sentence")
    parser.add_argument("--dry-run", action="store_true", help="read, adapt and check everything, but write nothing")


def _meaning_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what tensors mean."""
    parser.add_argument(
        "--encoder-gives", metavar="WORDS", help="outputs of the encoder in order, such as mu,logvar,z or mu,log_std"
    )
    parser.add_argument(
        "--decoder-gives", metavar="WORDS", help="outputs of the decoder in order, such as mean,logvar or ignore,logits"
    )
    parser.add_argument(
        "--cut", metavar="TENSOR", help="tensor of the latents, if --encoder is a whole autoencoder in one file"
    )
    parser.add_argument(
        "--labels", nargs="+", default=[], metavar="NAME", help="names of the labels that the graphs take beside"
    )


def _run_key(options: argparse.Namespace) -> int:
    from app.commands import key_command

    return key_command(options)


def _check_parser(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_run_check)
    parser.add_argument("model", nargs="?", metavar="MODEL", help="check only NAME or NAME/VERSION")
    _models_dir_option(parser)


def _key_parser(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_run_key)
    parser.add_argument("name", metavar="NAME", help="name of whoever gets the key")
    parser.add_argument("--control", action="store_true", help="let the key load and unload models, and nothing else")


def _models_dir_option(parser: argparse.ArgumentParser) -> None:
    default = Path(os.environ.get("HOURGLASS_MODELS_DIR") or Settings.model_fields["models_dir"].default)
    parser.add_argument(
        "--models-dir",
        type=Path,
        default=default,
        metavar="DIR",
        help="model repository (default: HOURGLASS_MODELS_DIR, or models)",
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text}")
    return int(text)
