"""
Exit 0 when the server in this container is ready: the image has no curl.

The server's address may come from a variable or an option, so this looks for the sockets on which a process of this
user listens. Docker runs this every few seconds, so it imports little: not even pathlib.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator

LISTENING = "0A"
"""The state of a socket that accepts connections. Source: Linux, include/net/tcp_states.h"""
SECONDS = 1.0
ACCEPTS = "00010000"
"""The flag of a Unix socket that accepts connections. Source: Linux, include/uapi/linux/net.h, __SO_ACCEPTCON"""
REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nUser-Agent: healthcheck\r\nConnection: close\r\n\r\n"
READY = b"HTTP/1.1 200 "

Address = tuple[socket.AddressFamily, str, int]
"""A family, a host and a port; of a Unix socket, its path and 0."""


def parse_address(family: socket.AddressFamily, text: str) -> Address:
    """
    Return an address in the notation of /proc/net/tcp, such as 0100007F:1F40 for 127.0.0.1:8000.

    Any address, such as 0.0.0.0, becomes the loopback address. Source: Linux, proc_pid_net(5)
    """
    digits, _, port = text.partition(":")
    words = [int(digits[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(digits), 8)]
    packed = b"".join(words)
    loopback = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    return family, socket.inet_ntop(family, packed) if any(packed) else loopback, int(port, 16)


def listening_sockets(processes: str) -> dict[str, Address]:
    """Return the address of each socket that listens in this container, by its inode."""
    found = {}
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        try:
            with open(f"{processes}/self/net/{name}") as file:
                lines = file.readlines()[1:]
        except OSError:  # a system without IPv6
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTENING:
                found[fields[9]] = parse_address(family, fields[1])
    return found | listening_unix_sockets(processes)


def listening_unix_sockets(processes: str) -> dict[str, Address]:
    """Return the address of each Unix socket that listens on a path, by its inode."""
    try:
        with open(f"{processes}/self/net/unix") as file:
            lines = [line.rstrip("\n").split(maxsplit=7) for line in file.readlines()[1:]]
    except OSError:
        return {}
    listening = [fields for fields in lines if len(fields) == 8 and fields[3] == ACCEPTS]
    return {fields[6]: (socket.AF_UNIX, fields[7], 0) for fields in listening if not fields[7].startswith("@")}


def servers(processes: str) -> Iterator[Address]:
    """Yield the address of each listening socket of this user's processes; the first process comes first."""
    sockets = listening_sockets(processes)
    for number in sorted(int(name) for name in os.listdir(processes) if name.isdecimal()):
        for link in open_files(f"{processes}/{number}/fd"):
            if address := sockets.pop(link.removeprefix("socket:[").removesuffix("]"), None):
                yield address


def open_files(folder: str) -> Iterator[str]:
    """Yield the targets of the links in a process's folder `fd`: nothing if the process is another user's."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"{folder}/{name}")
        except OSError:  # it was closed a moment ago
            continue


def ask(address: Address, *, tls: bool) -> bytes:
    """Return the status line of /readyz. Raises OSError."""
    family, host, port = address
    with socket.socket(family) as plain:
        plain.settimeout(SECONDS)
        plain.connect(host if family == socket.AF_UNIX else (host, port))
        if not tls:
            plain.sendall(REQUEST)
            return plain.recv(100)
        import ssl  # most servers here have no certificate

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is this container's own
        with context.wrap_socket(plain) as secure:
            secure.sendall(REQUEST)
            return secure.recv(100)


def problem(processes: str = "/proc") -> str:
    """Return why the server is not ready, or nothing if it is."""
    reason = "no process listens"
    for address in servers(processes):
        place = f"{address[1]} port {address[2]}" if address[2] else address[1]
        for tls in (False, True):
            try:
                answer = ask(address, tls=tls)
            except OSError as error:
                answer, reason = b"", f"{place}: {error}"
            if answer.startswith(READY):
                return ""
            if answer.startswith(b"HTTP/"):
                reason = f"{place}: {answer.splitlines()[0].decode(errors='replace')}"
                break
    return reason


if __name__ == "__main__":
    sys.exit(problem() or None)
