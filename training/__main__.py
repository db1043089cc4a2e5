"""The command `hourglass-train`: run the command line, log to stderr, and turn errors into exit codes."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from importlib.util import find_spec

from app.distribution import install_command, missing_packages
from app.errors import HourglassError
from training.cli import build_parser
from training.commands import is_first_process
from training.errors import TrainingError
from training.openmp import wait_passively

FAILED, INTERRUPTED = 1, 130
"""Exit codes after an error, and after Ctrl-C."""
MODULES = ("torch", "lightning", "onnx", "sklearn", "pyarrow", "yaml")
"""Modules that must be there, even if they are recorded as installed: others fail in odd ways beside a broken one."""
WAIT_FOR_FIRST_SECONDS = 30
"""Seconds by which the first process under torchrun may come later than others to the same error."""
MAX_MESSAGE_CHARACTERS = 300
"""Characters of an unexpected error's message that are shown."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, FAILED or INTERRUPTED."""
    options = build_parser().parse_args(arguments)
    if missing := missing_packages("train") or [name for name in MODULES if find_spec(name) is None]:
        report(explain_missing(missing))
        return FAILED
    configure_logging()
    wait_passively(os.environ)
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
    except MemoryError as error:
        report(f"there is not enough memory: {error}" if str(error) else "there is not enough memory")
        return FAILED
    except Exception as error:
        report(f"unexpected {type(error).__name__}: {_one_line(error)}; {_save_traceback()}")
        return FAILED
    except KeyboardInterrupt:
        if is_first_process():  # all of them are interrupted
            report("interrupted; train --resume continues after the last complete epoch")
        return INTERRUPTED
    return exit_code


def report(message: str) -> None:
    """
    Print a message to stderr. Under torchrun an error mostly stops all processes alike, and only the first prints it.

    torchrun ends all as soon as one has ended: the others wait, so that it is not before the first has printed.
    One that is still there then has met an error of its own.
    """
    if not is_first_process():
        time.sleep(WAIT_FOR_FIRST_SECONDS)
    print(f"hourglass-train: {message}", file=sys.stderr)


def explain_missing(packages: Sequence[str]) -> str:
    """Return the sentence about packages that are not installed."""
    return f"training needs {', '.join(packages)}; this command installs what is missing: {install_command('train')}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:MAX_MESSAGE_CHARACTERS]


def _save_traceback() -> str:
    """Write the traceback of the present exception to a file, and return a phrase that says where it is."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="hourglass-train-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            traceback.print_exc(file=file)
    except OSError as error:
        return f"its traceback could not be saved: {error}"
    return f"its traceback, for a report of the defect, is in {file.name}"


def configure_logging() -> None:
    """Log to stderr, each line with its level: in columns on a terminal, otherwise as plain lines."""
    level = logging.INFO if is_first_process() else logging.ERROR
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(stderr=True), show_path=False)
        logging.basicConfig(level=level, format="%(message)s", handlers=[handler], force=True)
    else:
        logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr, force=True)


if __name__ == "__main__":
    sys.exit(main())
