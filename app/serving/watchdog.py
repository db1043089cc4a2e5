"""The end of a process that cannot end by itself, because a thread is stuck in a run of a model."""

from __future__ import annotations

import logging
import os
import threading

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
"""The time to write the last lines of the log, whose reader may be stuck."""


class Watchdog:
    """Ends the process when a time is over. Its thread needs neither the event loop nor the main thread."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def arm(self, seconds: float) -> None:
        """End the process after these seconds, in place of any time set before."""
        self.disarm()
        self._timer = threading.Timer(seconds, end_process)
        self._timer.daemon = True
        self._timer.start()

    def disarm(self) -> None:
        """Let the process end by itself."""
        if self._timer is not None:
            self._timer.cancel()


def end_process(exit_code: int = 0) -> None:
    """Flush the log and end the process: the interpreter would wait for threads that never return from a run."""
    flush = threading.Thread(target=_write_last_line, daemon=True)
    flush.start()
    flush.join(FLUSH_SECONDS)
    os._exit(exit_code)


def _write_last_line() -> None:
    log.warning("ended without waiting for threads that are still running")
    logging.shutdown()
