"""The port of gRPC, which is taken before models are loaded, like that of HTTP."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from app.distribution import install_command, missing_packages
from app.errors import StartupError
from app.serving.listener import bind
from app.settings import Settings

SETTING = "HOURGLASS_GRPC_PORT"


class GrpcPort:
    """
    The port of gRPC, reserved until a worker listens on it.

    Workers bind the port by themselves, which SO_REUSEPORT allows; but it would also allow a second server to take a
    part of the connections. So a socket without it must be able to bind the port first.
    """

    def __init__(self, settings: Settings) -> None:
        """Reserve the port, or a free one for 0. Raises StartupError."""
        self._reserved = ExitStack()
        self.number: int | None = None
        """None without gRPC."""
        if settings.grpc_port is None:
            return
        if missing_packages("grpc"):
            raise StartupError(f"{SETTING} needs packages that are not installed: {install_command('grpc')}")
        probes = bind(settings.host, settings.grpc_port, SETTING)
        addresses = [(probe.family, probe.getsockname()) for probe in probes]
        self.number = addresses[0][1][1]
        for probe in probes:
            probe.close()
        for family, address in addresses:
            holder = self._reserved.enter_context(socket.socket(family, socket.SOCK_STREAM))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            holder.bind(address)

    def release(self) -> None:
        """Leave the port to those who listen on it."""
        self._reserved.close()
