"""One of several serving processes: it does what its supervisor asks, and ends when its supervisor has ended."""

from __future__ import annotations

import gc
import math
import os
import socket
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import structlog

from app.errors import HourglassError
from app.logs import configure_logging
from app.serving.signals import SignalThread
from app.settings import Settings

if TYPE_CHECKING:
    from app.serving.server import Server

log = structlog.get_logger(__name__)

MAX_MESSAGE_BYTES = 4096
"""The longest reason of a failure, so that writing it never waits for the supervisor."""


class Supervision:
    """The worker's end of the pipe. A thread reads it, so that it is read even while models are loaded."""

    def __init__(self, pipe: Connection) -> None:
        self.server: Server | None = None
        """The server to control; without one, the process has nothing to finish and ends at once."""
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
        self.server.end()

    def _obey(self, message: bytes) -> None:
        if message == b"ping":
            self.send(b"pong")
        elif self.server is None:
            if message in (b"drain", b"end"):
                os._exit(0)
        elif message == b"drain":
            self.server.drain(math.inf)
        elif message == b"end":
            self.server.end()
        elif message == b"reload":
            self.server.ask_reload()


def run_worker(settings: Settings, listeners: list[socket.socket], pipe: Connection) -> None:
    """Load the models and serve until the supervisor asks for the end. An error is reported to it."""
    gc.disable()  # as in `app.__main__`
    signals = SignalThread()
    supervision = Supervision(pipe)
    from app.main import create_process  # these imports take long; the threads above work in the meantime
    from app.serving.server import create_server

    configure_logging(settings.log_level)
    try:
        app = create_process(settings)
        server = create_server(app, settings, on_start=lambda: supervision.send(b"started"), refuse=None)
        supervision.server = signals.server = server
        server.run(listeners)
    except HourglassError as error:
        supervision.send(b"failed " + str(error).encode())
        raise SystemExit(1) from None
