"""The command `hourglass-train`: run the command line, log to stderr, and turn errors into exit codes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from app.distribution import install_command, missing_packages
from app.errors import HourglassError
from training.cli import build_parser
from training.errors import TrainingError

FAILED, INTERRUPTED = 1, 130
"""Exit codes after an error that the user can mend, and after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, FAILED or INTERRUPTED."""
    options = build_parser().parse_args(arguments)
    if missing := missing_packages("train"):
        report(explain_missing(missing))
        return FAILED
    configure_logging()
    try:
        exit_code: int = options.command(options)
    except ModuleNotFoundError as error:  # it is recorded as installed, or another package needs it
        package = (error.name or "app").partition(".")[0]
        if package in ("app", "training"):
            raise
        report(explain_missing([package]))
        return FAILED
    except (TrainingError, HourglassError, OSError) as error:
        report(str(error))
        return FAILED
    except KeyboardInterrupt:
        report("interrupted; train --resume continues after the last complete epoch")
        return INTERRUPTED
    return exit_code


def report(message: str) -> None:
    """Print a message to stderr. Under torchrun only one process prints: an error stops all of them alike."""
    if is_first_process():
        print(f"hourglass-train: {message}", file=sys.stderr)


def explain_missing(packages: Sequence[str]) -> str:
    """Return the sentence about packages that are not installed."""
    return f"training needs {', '.join(packages)}; this command installs what is missing: {install_command('train')}"


def configure_logging() -> None:
    """Log to stderr: in columns on a terminal, otherwise as plain lines."""
    level = logging.INFO if is_first_process() else logging.ERROR
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(stderr=True), show_path=False, show_level=False)
        logging.basicConfig(level=level, format="%(message)s", handlers=[handler], force=True)
    else:
        logging.basicConfig(level=level, format="%(asctime)s %(message)s", stream=sys.stderr, force=True)


def is_first_process() -> bool:
    """Return whether this is the only process, or the first that torchrun started; needs no torch."""
    return os.environ.get("RANK", "0") == "0"


if __name__ == "__main__":
    sys.exit(main())
