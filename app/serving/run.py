"""The start of serving: one process, or a supervisor and its workers."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial

import structlog

from app.distribution import bundled_models
from app.places import warn_of_misplaced_models
from app.server.counters import shared_folder
from app.server.tls import check_certificate
from app.server.traces.start import check_traces
from app.serving.listener import bind, refuse_new_connections, url
from app.serving.signals import SignalThread
from app.serving.supervisor import Supervisor
from app.serving.unix_socket import UnixSocket
from app.serving.worker import run_worker
from app.settings import Settings

log = structlog.get_logger(__name__)


def serve(settings: Settings) -> int:
    """Bind the socket, load the models, then listen. Return the exit code. Raises StartupError before it listens."""
    check_certificate(settings.ssl_certfile, settings.ssl_keyfile)
    check_traces(settings.traces)
    if settings.uds is None:
        listeners = bind(settings.host, settings.port)
        address = url("https" if settings.ssl_certfile else "http", settings.host, listeners)
        return _serve(settings, listeners, address, partial(refuse_new_connections, listeners))
    unix_socket = UnixSocket(settings.uds)
    try:
        return _serve(settings, [unix_socket.listener], f"unix socket {settings.uds}", unix_socket.remove)
    finally:
        unix_socket.remove()


def _serve(settings: Settings, listeners: list[socket.socket], address: str, refuse: Callable[[], None]) -> int:
    models = settings.models_dir.resolve()
    log.info("model repository", path=str(models), bundled=models == bundled_models())
    warn_of_misplaced_models(models)

    def announce() -> None:
        logging.getLogger("uvicorn.error").info("Uvicorn running on %s (Press CTRL+C to quit)", address)

    if settings.workers > 1:
        with shared_folder():
            return Supervisor(settings, listeners, run_worker, announce, refuse).run()
    signals = SignalThread()
    from app.main import create_process  # the supervisor needs none of these imports, and their threads come later
    from app.serving.server import create_server

    server = create_server(create_process(settings), settings, on_start=announce, refuse=refuse)
    signals.server = server
    server.run(listeners)
    return 0
