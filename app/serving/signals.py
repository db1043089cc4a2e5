"""
Signals of a serving process, which a thread receives.

Python runs a signal handler on the main thread, between two instructions. If that thread is stuck in a run of a model,
no handler runs, and only SIGKILL would end the process. A thread that waits for signals does not depend on it.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Protocol

END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
SIGNALS = {*END_SIGNALS, signal.SIGHUP}


class Controlled(Protocol):
    """A server that can be controlled from any thread."""

    def advance(self, force: bool) -> None:
        """Begin the drain, or go on to the next phase of the end."""

    def ask_reload(self) -> None:
        """Load the models again."""


class SignalThread:
    """
    Passes the signals of the process to its server. Before it has one, it ends the process at once.

    It must be created before any other thread, since only threads that begin later leave the signals to it.
    """

    def __init__(self) -> None:
        self.server: Controlled | None = None
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        threading.Thread(target=self._listen, name="signals", daemon=True).start()

    def _listen(self) -> None:
        while True:
            number = signal.sigwait(SIGNALS)
            if number != signal.SIGHUP:
                if self.server is None:
                    os._exit(128 + number)
                self.server.advance(force=number == signal.SIGINT)
            elif self.server is not None:
                self.server.ask_reload()
