"""One of several serving processes: it does what its supervisor asks, and ends when its supervisor has ended."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress
from multiprocessing.connection import Connection

import structlog

from app.errors import HourglassError
from app.logs import configure_logging
from app.main import create_process
from app.serving.server import Server, create_server
from app.serving.watchdog import Watchdog
from app.settings import Settings

log = structlog.get_logger(__name__)

MAX_MESSAGE_BYTES = 4096
"""The longest reason of a failure, so that writing it never waits for the supervisor."""
SPARE_SECONDS = 5
"""The time beyond `shutdown_seconds` after which a worker without a supervisor ends in any case."""


class Supervision:
    """The worker's end of the pipe. A thread reads it, so that it is read even while models are loaded."""

    def __init__(self, pipe: Connection, settings: Settings) -> None:
        self.server: Server | None = None
        """The server to control; without one, the process has nothing to finish and ends at once."""
        self._settings = settings
        self._pipe = pipe
        self._sending = threading.Lock()
        threading.Thread(target=self._listen, name="supervision", daemon=True).start()

    def send(self, message: bytes) -> None:
        """Send a message, unless the supervisor has ended."""
        with self._sending, suppress(OSError):
            self._pipe.send_bytes(message[:MAX_MESSAGE_BYTES])

    def _listen(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                self._obey(self._pipe.recv_bytes())
        if self.server is None:
            os._exit(1)
        log.warning("the supervisor has ended")
        Watchdog().arm(self._settings.shutdown_seconds + SPARE_SECONDS)
        self.server.end()

    def _obey(self, message: bytes) -> None:
        if message == b"ping":
            self.send(b"pong")
        elif self.server is None:
            if message in (b"drain", b"end"):
                os._exit(0)
        elif message == b"drain":
            self.server.drain()
        elif message == b"end":
            self.server.end()
        elif message == b"reload":
            self.server.ask_reload()


def run_worker(settings: Settings, listeners: list[socket.socket], pipe: Connection) -> None:
    """Load the models and serve until the supervisor asks for the end. An error is reported to it."""
    ignored = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)  # terminals signal the whole group
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*ignored, signal.SIGTERM, signal.SIGQUIT})
    supervision = Supervision(pipe, settings)
    configure_logging(settings.log_level)
    try:
        app = create_process(settings)
        supervision.server = create_server(
            app, settings, supervised=True, on_start=lambda: supervision.send(b"started")
        )
        supervision.server.run(listeners)
    except HourglassError as error:
        supervision.send(b"failed " + str(error).encode())
        raise SystemExit(1) from None
