"""The start of serving: one process, or a supervisor and its workers."""

from __future__ import annotations

import gc
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import structlog

from app.distribution import bundled_models
from app.logs import configure_logging
from app.places import warn_of_misplaced_models
from app.server.counters import shared_folder
from app.server.tls import check_certificate
from app.server.traces.start import check_traces
from app.serving.grpc_port import GrpcPort
from app.serving.listener import bind, refuse_new_connections, url
from app.serving.signals import SignalThread
from app.serving.supervisor import Supervisor
from app.serving.unix_socket import UnixSocket
from app.serving.worker import run_worker
from app.settings import Settings, unknown_variables

log = structlog.get_logger(__name__)


def serve(settings: Settings) -> int:
    """Bind the socket, load the models, then listen. Return the exit code. Raises StartupError before it listens."""
    configure_logging(settings.log_level)
    for name in unknown_variables():
        log.warning("unknown setting ignored", variable=name)
    check_certificate(settings.ssl_certfile, settings.ssl_keyfile)
    check_traces(settings.traces)
    with ExitStack() as stack:
        grpc_port = GrpcPort(settings)
        stack.callback(grpc_port.release)
        settings = settings.model_copy(update={"grpc_port": grpc_port.number})
        if settings.uds is None:
            listeners = bind(settings.host, settings.port)
            address = url("https" if settings.ssl_certfile else "http", settings.host, listeners)
            refuse: Callable[[], None] = partial(refuse_new_connections, listeners)
        else:
            unix_socket = UnixSocket(settings.uds)
            stack.callback(unix_socket.remove)
            listeners, address, refuse = [unix_socket.listener], f"unix socket {settings.uds}", unix_socket.remove

        def announce() -> None:
            grpc_port.release()
            if settings.grpc_port is not None:
                log.info("gRPC listens", host=settings.host, port=settings.grpc_port)
            logging.getLogger("uvicorn.error").info("Uvicorn running on %s (Press CTRL+C to quit)", address)

        return _serve(settings, listeners, announce, refuse)


def _serve(
    settings: Settings, listeners: list[socket.socket], announce: Callable[[], None], refuse: Callable[[], None]
) -> int:
    models = settings.models_dir.resolve()
    log.info("model repository", path=str(models), bundled=models == bundled_models())
    warn_of_misplaced_models(models)
    if settings.workers > 1:
        gc.enable()
        with shared_folder():
            return Supervisor(settings, listeners, run_worker, announce, refuse).run()
    signals = SignalThread()
    from app.main import create_process  # the supervisor needs none of these imports, and their threads come later
    from app.serving.server import create_server

    server = create_server(create_process(settings), settings, on_start=announce, refuse=refuse)
    signals.server = server
    server.run(listeners)
    return 0
