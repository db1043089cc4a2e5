"""The start of serving: one process, or a supervisor and its workers."""

from __future__ import annotations

import logging
import signal
import socket
from multiprocessing.connection import Connection

from app.serving.listener import bind, url
from app.serving.supervisor import Supervisor
from app.settings import Settings


def serve(settings: Settings) -> int:
    """Bind the socket, load the models, then listen. Return the exit code. Raises StartupError before it listens."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what it would reload is being loaded
    listeners = bind(settings.host, settings.port)
    address = url("http", settings.host, listeners)

    def announce() -> None:
        logging.getLogger("uvicorn.error").info("Uvicorn running on %s (Press CTRL+C to quit)", address)

    if settings.workers > 1:
        return Supervisor(settings, listeners, _work, announce).run()
    from app.main import create_process  # the supervisor needs none of its imports
    from app.serving.server import create_server

    create_server(create_process(settings), settings, supervised=False, on_start=announce).run(listeners)
    return 0


def _work(settings: Settings, listeners: list[socket.socket], pipe: Connection) -> None:
    from app.serving.worker import run_worker

    run_worker(settings, listeners, pipe)
