"""Serve a model repository, import models into it, or check it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import structlog
import uvicorn
from pydantic import ValidationError

from app.commands import check_command, import_command
from app.errors import HourglassError
from app.logs import configure_logging
from app.main import PROTOCOL, create_process
from app.server.counters import shared_folder
from app.server.gate import Gate
from app.settings import PREFIX, Settings, unknown_variables

INTERRUPTED_EXIT_CODE, TERMINATED_EXIT_CODE = 130, 143
"""Exit codes of a command that Ctrl-C or SIGTERM ends before it is finished."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, or 1 and a message for an error that the user can correct."""
    options = build_parser().parse_args(arguments)
    # Process 1 of a container has no default handlers: without this one, SIGTERM would be ignored while models are
    # loaded or written. uvicorn installs its own handlers while it serves, and raises the signal again afterwards.
    status = 0 if options.command is serve_command else TERMINATED_EXIT_CODE
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(status))
    try:
        exit_code: int = options.command(options)
    except HourglassError as error:
        print(f"hourglass: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    finally:
        signal.signal(signal.SIGTERM, previous)
    return exit_code


def serve_command(_: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C. Raises StartupError if the server cannot start."""
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


def serve(settings: Settings) -> int:
    """Load the models, then listen. Raises StartupError before it listens."""
    app = create_process(settings)  # also for several workers: uvicorn would restart failing workers for ever
    several = settings.workers > 1
    with shared_folder() if several else nullcontext():
        _run(app, settings, several)
    return 0


def _run(app: Gate, settings: Settings, several: bool) -> None:
    uvicorn.run(
        "app.main:create_worker" if several else app,
        factory=several,
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        http=PROTOCOL,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nothing here depends on the client's address or scheme
        access_log=False,  # app.server.request_log writes a better line
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def build_parser() -> argparse.ArgumentParser:
    """Build the parser. Serving has environment variables as options, which work alike in shells and containers."""
    variables = "\n".join(
        f"  {PREFIX + name.upper():32} {field.description} [{field.default}]"
        for name, field in Settings.model_fields.items()
    )
    parser = argparse.ArgumentParser(
        prog="hourglass",
        description=__doc__,
        epilog=f"environment variables of serve:\n{variables}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version("hourglass"))
    parser.set_defaults(command=serve_command)
    commands = parser.add_subparsers(metavar="COMMAND")
    commands.add_parser("serve", help="serve the models (default)")
    _import_parser(commands.add_parser("import", help="write a version from an encoder and a decoder in ONNX"))
    _check_parser(commands.add_parser("check", help="check the versions of a repository"))
    return parser


def _import_parser(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=import_command)
    parser.add_argument("--encoder", type=Path, required=True, metavar="FILE", help="ONNX graph: samples to latents")
    parser.add_argument("--decoder", type=Path, required=True, metavar="FILE", help="ONNX graph: latents to samples")
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
        help="shape of a sample: channels, height, width; or features",
    )
    parser.add_argument("--layout", choices=["channels-first", "channels-last"], help="layout of the graphs' images")
    parser.add_argument(
        "--encoder-gives", metavar="WORDS", help="outputs of the encoder in order, such as mu,logvar,z or mu,sigma"
    )
    parser.add_argument("--logits", action="store_true", help="add a sigmoid, because the decoder gives logits")
    parser.add_argument(
        "--denoises", action="store_true", help="offer the task denoise, because the model removes noise"
    )
    parser.add_argument(
        "--feature-names", nargs="+", default=[], metavar="NAME", help="names of the columns of a table"
    )
    parser.add_argument("--description", metavar="TEXT", help="describe the model in one sentence")
    parser.add_argument("--dry-run", action="store_true", help="read, adapt and check everything, but write nothing")


def _check_parser(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=check_command)
    parser.add_argument("model", nargs="?", metavar="MODEL", help="check only NAME or NAME/VERSION")
    _models_dir_option(parser)


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


if __name__ == "__main__":
    sys.exit(main())
