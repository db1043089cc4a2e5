"""The start of serving: one process, or a supervisor and its workers."""

from __future__ import annotations

import logging

from app.server.counters import shared_folder
from app.server.tls import check_certificate
from app.server.traces.start import check_traces
from app.serving.listener import bind, url
from app.serving.signals import SignalThread
from app.serving.supervisor import Supervisor
from app.serving.worker import run_worker
from app.settings import Settings


def serve(settings: Settings) -> int:
    """Bind the socket, load the models, then listen. Return the exit code. Raises StartupError before it listens."""
    check_certificate(settings.ssl_certfile, settings.ssl_keyfile)
    check_traces(settings.traces)
    listeners = bind(settings.host, settings.port)
    address = url("https" if settings.ssl_certfile else "http", settings.host, listeners)

    def announce() -> None:
        logging.getLogger("uvicorn.error").info("Uvicorn running on %s (Press CTRL+C to quit)", address)

    if settings.workers > 1:
        with shared_folder():
            return Supervisor(settings, listeners, run_worker, announce).run()
    signals = SignalThread()
    from app.main import create_process  # the supervisor needs none of these imports, and their threads come later
    from app.serving.server import create_server

    server = create_server(create_process(settings), settings, supervised=False, on_start=announce)
    signals.server = server
    server.run(listeners)
    return 0
