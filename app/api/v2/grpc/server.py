"""
The listener of gRPC, in the process and on the event loop of HTTP.

Each worker listens on the port by itself: the kernel spreads the connections over them (SO_REUSEPORT), since gRPC takes
no socket that another process has bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2
from starlette.types import ASGIApp

from app.api.state import State
from app.api.v2.grpc import open_inference_pb2 as pb
from app.api.v2.grpc.calls import Calls
from app.api.v2.grpc.health import watch_handler
from app.api.v2.grpc.methods import INFER, METHODS, STREAM
from app.errors import StartupError
from app.server.grpc_paths import HEALTH_SERVICE, SERVICE
from app.settings import Settings

REFUSAL_SECONDS = 0.25
"""The time in which calls are refused before connections are: calls that are on their way arrive."""
END_SECONDS = 1.0
"""The time for the last bytes of answers, and for clients to learn that the server ends."""


class GrpcServer:
    """gRPC over an application whose paths are its methods. `refuse` lets it refuse calls."""

    def __init__(self, app: ASGIApp, refuse: Callable[[], None], state: State) -> None:
        self._app = app
        self._refuse = refuse
        self._state = state
        self._ending = asyncio.Event()
        self._server: Any = None
        self._stopped: asyncio.Task[None] | None = None
        self._has_refused = asyncio.Event()

    async def start(self, tasks: set[asyncio.Task[None]]) -> None:
        """Listen. Raises StartupError."""
        settings = self._state.settings
        self._server = grpc.aio.server(
            options=channel_options(settings), maximum_concurrent_rpcs=settings.max_connections
        )
        calls = Calls(self._app, tasks, "https" if settings.ssl_certfile else "http")
        handlers = {path: calls.unary(path) for path in (*METHODS, INFER)}
        handlers[STREAM] = calls.refused_stream(STREAM)
        handlers[HEALTH_SERVICE + "Watch"] = watch_handler(self._state, self._ending)
        self._server.add_generic_rpc_handlers((Handlers(handlers),))
        if self._shows_documentation():
            reflect(self._server)
        address = target(settings.host, settings.grpc_port)
        try:
            if settings.ssl_certfile is None:
                self._server.add_insecure_port(address)
            else:
                self._server.add_secure_port(address, credentials(settings))
        except RuntimeError as error:
            raise StartupError(f"cannot listen on {address}; HOURGLASS_GRPC_PORT sets the port") from error
        await self._server.start()

    def stop_listening(self) -> None:
        """Take no new calls; those that have begun go on."""
        self._refuse()
        self._stopped = asyncio.create_task(self._stop())

    async def _stop(self) -> None:
        await asyncio.sleep(REFUSAL_SECONDS)
        self._has_refused.set()
        await self._server.stop(self._state.settings.shutdown_seconds + END_SECONDS)

    async def close(self) -> None:
        """End all streams, and wait until the last bytes are sent."""
        self._ending.set()
        if self._stopped is not None:
            await self._has_refused.wait()
            await self._server.stop(END_SECONDS)
            await self._stopped

    def _shows_documentation(self) -> bool:
        """Return True if the documentation is open to all: reflection has no keys."""
        settings = self._state.settings
        return settings.keys_file is None if settings.open_docs is None else settings.open_docs


class Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The handlers of methods, by their paths."""

    def __init__(self, handlers: dict[str, Any]) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of a call, or None."""
        return self._handlers.get(handler_call_details.method)


def channel_options(settings: Settings) -> list[tuple[str, int]]:
    """Return the limits of HTTP as options of gRPC. Its defaults answer floods of pings."""
    options = [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", settings.max_head_bytes),
        ("grpc.absolute_max_metadata_size", settings.max_head_bytes),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
    ]
    if settings.keep_alive_seconds:
        options.append(("grpc.max_connection_idle_ms", max(1, round(settings.keep_alive_seconds * 1000))))
    if settings.head_seconds:
        options.append(("grpc.server_handshake_timeout_ms", max(1, round(settings.head_seconds * 1000))))
    return options


def credentials(settings: Settings) -> Any:
    """Return the certificate and the key of HTTP for gRPC."""
    assert settings.ssl_certfile is not None
    chain = settings.ssl_certfile.read_bytes()
    key = (settings.ssl_keyfile or settings.ssl_certfile).read_bytes()
    return grpc.ssl_server_credentials([(key, chain)])


def target(host: str, port: int | None) -> str:
    """Return an address in gRPC's form."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reflect(server: Any) -> None:
    """Let clients such as grpcurl ask for the services and their messages."""
    pool = DescriptorPool()
    for module in (pb, health_pb2, reflection_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    names = (SERVICE.strip("/"), HEALTH_SERVICE.strip("/"), reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server, pool)
