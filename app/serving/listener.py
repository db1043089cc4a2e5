"""
Listening sockets: bound before models are loaded, and closed without losing a connection.

The kernel accepts connections before the process does, and resets those that nobody has taken when the socket is
closed. So new ones are refused first. Linux cannot stop listening without closing, but a socket can have a filter: one
that drops the packets that open a connection. A client whose packet is dropped sends it again a second later, to
whoever listens then. A system without such filters may lose what arrives in the last moment.
"""

from __future__ import annotations

import ctypes
import errno
import select
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

from app.errors import StartupError

HANDSHAKE_SECONDS = 0.25
"""The time in which a handshake that began before the filter is finished: a slow round trip."""

SO_ATTACH_FILTER = 26
"""Source: Linux, include/uapi/asm-generic/socket.h; Python's socket module does not have it."""
DROP_NEW_CONNECTIONS = (
    (0x30, 0, 0, 13),  # load the byte of the TCP header with the flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN without ACK opens a connection:
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # pass anything else whole
)
"""A classic BPF program: operation, jump if true, jump if false, operand. Source: Linux, networking/filter.rst."""


def bind(host: str, port: int, setting: str = "HOURGLASS_PORT") -> list[socket.socket]:
    """
    Return a socket for each address of the host, bound but not listening: connections are refused until then.

    With port 0 all have the same free port. Raises StartupError.
    """
    listeners: list[socket.socket] = []
    failure = OSError("no address")
    try:
        addresses = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(addresses):
            free_port = port or (listeners[0].getsockname()[1] if listeners else 0)
            try:
                listeners.append(_bind_one(family, (address[0], free_port, *address[2:])))
            except OSError as error:
                if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # localhost, but no IPv6
                    raise
                failure = error
        if not listeners:
            raise failure
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise listen_error(host, port, error, setting) from error
    return listeners


def _bind_one(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def listen_error(host: str, port: int, error: OSError, setting: str = "HOURGLASS_PORT") -> StartupError:
    """Return the error of an address on which the server cannot listen."""
    reason = error.strerror or str(error)
    return StartupError(f"cannot listen on {host} port {port}: {reason}; HOURGLASS_HOST and {setting} set both")


def url(scheme: str, host: str, listeners: Sequence[socket.socket]) -> str:
    """Return the server's address as a URL, with its real port."""
    port = listeners[0].getsockname()[1]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def refuse_new_connections(listeners: Sequence[socket.socket]) -> None:
    """Let the kernel drop packets that open a connection, for every process that shares the sockets."""
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in DROP_NEW_CONNECTIONS)
    memory = ctypes.create_string_buffer(program, len(program))
    option = struct.pack("HL", len(DROP_NEW_CONNECTIONS), ctypes.addressof(memory))
    for listener in listeners:
        with suppress(OSError):  # not Linux, or a kernel that forbids it
            listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, option)


def is_readable(file: int | socket.socket) -> bool:
    """Return True if a connection waits to be accepted, or bytes or an end wait to be read."""
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))
