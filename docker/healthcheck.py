"""
Exit 0 when the server in this container is ready: the image has no curl.

The server's port may come from a variable or an option, so this looks for the sockets on which a process of this user
listens. Docker runs this every few seconds, so it imports little.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

LISTENING = "0A"
"""The state of a socket that accepts connections. Source: Linux, include/net/tcp_states.h"""
SECONDS = 2.0
REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nUser-Agent: healthcheck\r\nConnection: close\r\n\r\n"
READY = b"HTTP/1.1 200 "


def listening_sockets(processes: Path) -> dict[str, tuple[int, int]]:
    """Return the family and port of each TCP socket that listens here, by its inode."""
    found = {}
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        try:
            lines = (processes / "self" / "net" / name).read_text().splitlines()[1:]
        except OSError:  # a system without IPv6
            continue
        for line in lines:
            (
                _,
                address,
                _,
                state,
                *_,
            ) = line.split()
            if state == LISTENING:
                found[line.split()[9]] = (int(family), int(address.rpartition(":")[2], 16))
    return found


def servers(processes: Path) -> Iterator[tuple[int, int]]:
    """Yield the family and port of each listening socket of this user's processes, the first process first."""
    sockets = listening_sockets(processes)
    for process in sorted(
        (path for path in processes.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name)
    ):
        try:
            links = [os.readlink(link) for link in (process / "fd").iterdir()]
        except OSError:  # another user's, or it has ended
            continue
        for link in links:
            if link.startswith("socket:[") and link[8:-1] in sockets:
                yield sockets.pop(link[8:-1])


def ask(family: int, port: int, *, tls: bool) -> bytes:
    """Return the status line of /readyz. Raises OSError."""
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with socket.socket(socket.AddressFamily(family)) as plain:
        plain.settimeout(SECONDS / 2)
        plain.connect((host, port))
        if not tls:
            plain.sendall(REQUEST)
            return plain.recv(100)
        import ssl  # most servers here have no certificate

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is this container's own
        with context.wrap_socket(plain) as secure:
            secure.sendall(REQUEST)
            return secure.recv(100)


def problem(processes: Path = Path("/proc")) -> str:
    """Return why the server is not ready, or nothing if it is."""
    reason = "no process listens"
    for family, port in servers(processes):
        for tls in (False, True):
            try:
                answer = ask(family, port, tls=tls)
            except OSError as error:
                answer, reason = b"", f"port {port}: {error}"
            if answer.startswith(READY):
                return ""
            if answer.startswith(b"HTTP/"):
                reason = f"port {port}: {answer.splitlines()[0].decode(errors='replace')}"
                break
    return reason


if __name__ == "__main__":
    sys.exit(problem() or None)
