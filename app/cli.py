"""The command line: its options, and the functions that run the commands."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from app.distribution import installed_version
from app.errors import HourglassError
from app.setting_options import SettingOptions, name_origins, similar_option, typed_settings
from app.settings import MODELS, Settings, default_models_dir, variable

TERMINATED_EXIT_CODE = 143
"""Exit code of a command that SIGTERM ends before it is finished."""
SERVE, IMPORT, KEY, CHECK = COMMANDS = ("serve", "import", "key", "check")
OPTIONS_OF_ALL = ("-h", "--help", "--version")
"""Options that may stand first without being those of serve."""
HELP_COLUMN = 30

Command = Callable[[argparse.Namespace], int]


def run_command(arguments: Sequence[str] | None) -> int:
    """Run a command and return its exit code: 0, or 1 and a message for an error that the user can correct."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    if options.command is not serve_command:
        gc.enable()
        # what it has half written must be removed
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED_EXIT_CODE))
    command: Command = options.command
    try:
        return command(options)
    except HourglassError as error:
        for line in name_origins(str(error), typed_settings(options)).splitlines():
            print(f"hourglass: {line}", file=sys.stderr)
        return 1


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of a command, which is serve if none is named. Exits with 2 if they are wrong."""
    serve_is_left_out = not arguments or (arguments[0].startswith("-") and arguments[0] not in OPTIONS_OF_ALL)
    parser = build_parser()
    options, unknown = parser.parse_known_args([SERVE, *arguments] if serve_is_left_out else arguments)
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{_hint(unknown, options.command)}")
    return options


def _hint(unknown: Sequence[str], command: Command) -> str:
    if misplaced := next((word for word in unknown if word in COMMANDS), None):
        return f"; the command comes first: hourglass {misplaced}"
    similar = similar_option(unknown[0]) if command is serve_command else None
    return f"; did you mean {similar}?" if similar else ""


def serve_command(options: argparse.Namespace) -> int:
    """Serve until a signal ends the server. Raises StartupError if it cannot start."""
    settings: Settings = options.settings.read(options)
    from app.serving.run import serve  # --help need not wait for this

    return serve(settings)


def _run_import(options: argparse.Namespace) -> int:
    from app.commands import import_command  # only these commands need their imports

    return import_command(options)


def _run_check(options: argparse.Namespace) -> int:
    from app.commands import check_command

    return check_command(options)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser. Its help ends with the options of serve, which most users look for."""
    parser = argparse.ArgumentParser(
        prog="hourglass",
        usage="hourglass [COMMAND] [OPTION ...]",
        description="Serve a model repository, import models into it, or check it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=installed_version())
    commands = parser.add_subparsers(prog="hourglass", metavar="COMMAND", title="commands", required=True)
    serve = commands.add_parser(
        SERVE,
        help="serve the models (default)",
        usage="hourglass [serve] [OPTION ...]",
        description="An option wins over its environment variable. In brackets: the default.",
        allow_abbrev=False,
        formatter_class=partial(argparse.HelpFormatter, max_help_position=HELP_COLUMN),
    )
    serve.set_defaults(command=serve_command, settings=SettingOptions(serve))
    _import_parser(commands.add_parser(IMPORT, help="write a version from an encoder and a decoder in ONNX"))
    _key_parser(commands.add_parser(KEY, help="make an API key"))
    _check_parser(commands.add_parser(CHECK, help="check the versions of a repository"))
    _, _, options_of_serve = serve.format_help().partition("\n\n")
    parser.epilog = f"serve: {options_of_serve}".replace("%", "%%")
    return parser


def _import_parser(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_run_import)
    parser.add_argument("--encoder", type=Path, required=True, metavar="FILE", help="ONNX graph: samples to latents")
    parser.add_argument("--decoder", type=Path, metavar="FILE", help="ONNX graph: latents to samples")
    parser.add_argument("--name", required=True, help="name of the model")
    _models_dir_option(parser, MODELS, "models")
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
    _models_dir_option(parser, default_models_dir(), "models if it holds a version, otherwise the bundled models")


def _key_parser(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_run_key)
    parser.add_argument("name", metavar="NAME", help="name of whoever gets the key")
    parser.add_argument("--control", action="store_true", help="let the key load and unload models, and nothing else")


def _models_dir_option(parser: argparse.ArgumentParser, default: Path, meaning: str) -> None:
    named = os.environ.get(variable("models_dir"))
    parser.add_argument(
        "--models-dir",
        type=Path,
        default=Path(named) if named else default,
        metavar="DIR",
        help=f"model repository (default: {variable('models_dir')}, or {meaning})",
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text}")
    return int(text)
