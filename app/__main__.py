"""
The start of the command `hourglass`: signals are handled before anything large is imported.

The imports take a third of a second. Process 1 of a container has no default handlers, so without these SIGTERM would
be lost until the server listens, and the container would be killed in the end.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence

INTERRUPTED_EXIT_CODE, TERMINATED_EXIT_CODE = 130, 143
"""Exit codes of a command that Ctrl-C or SIGTERM ends before it is finished."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, or 1 and a message for an error that the user can correct."""
    previous = {number: signal.signal(number, _end_at_once) for number in (signal.SIGTERM, signal.SIGQUIT)}
    previous |= {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    gc.disable()  # what is imported stays; passes over it would take an eighth of the start
    try:
        from app.cli import run_command

        return run_command(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    finally:
        gc.enable()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _end_at_once(*_: object) -> None:
    """End without cleaning up: an exception could be lost in the middle of an import. Nothing is written yet."""
    os._exit(TERMINATED_EXIT_CODE)


if __name__ == "__main__":
    sys.exit(main())
