"""Raw connections to a server, and answers as they come."""

from __future__ import annotations

import json
import re
import select
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

TIMEOUT_SECONDS = 30


class RawAnswer(NamedTuple):
    """One answer."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    content: bytes

    def problem(self) -> Any:
        """Return the problem document."""
        assert self.headers["content-type"] == "application/problem+json"
        return json.loads(self.content)


def connect(address: str, receive_buffer: int | None = None) -> socket.socket:
    """Connect to a server, such as http://127.0.0.1:8000."""
    host, port = address.removeprefix("http://").split(":")
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(TIMEOUT_SECONDS)
    sock.connect((host, int(port)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_answers(sock: socket.socket, count: int | None = None) -> list[RawAnswer]:
    """Read a number of answers, or all until the server closes the connection. Each must have a Content-Length."""
    answers: list[RawAnswer] = []
    with sock.makefile("rb") as stream:
        while (count is None or len(answers) < count) and (status_line := stream.readline()):
            headers = {}
            while line := stream.readline().decode("latin-1").rstrip():
                name, value = line.split(": ", 1)
                headers[name.lower()] = value
            content = stream.read(int(headers["content-length"]))
            answers.append(RawAnswer(int(status_line.split()[1]), headers, content))
    return answers


def read_to_end(sock: socket.socket) -> int:
    """Read until the server closes the connection; return the number of bytes."""
    count = 0
    while chunk := sock.recv(1 << 20):
        count += len(chunk)
    return count


def ask(address: str, *segments: bytes, pause: float = 0.05) -> list[RawAnswer]:
    """Send segments one by one, read until the server closes the connection, and return the answers."""
    with connect(address) as sock:
        for index, segment in enumerate(segments):
            if index:
                select.select([sock], [], [], pause)  # until an early answer comes
            sock.sendall(segment)
        return read_answers(sock)


def trickle(sock: socket.socket, interval: float = 0.1) -> float:
    """Send a byte at each interval until the server answers or closes; return the seconds that took."""
    began = time.monotonic()
    while not select.select([sock], [], [], interval)[0]:
        assert time.monotonic() - began < TIMEOUT_SECONDS
        sock.send(b"a")
    return time.monotonic() - began


def wait_for_reset(sock: socket.socket) -> None:
    """Wait until the server has reset the connection, without reading from it."""
    poll = select.poll()
    poll.register(sock, 0)
    assert poll.poll(TIMEOUT_SECONDS * 1000), "the connection is still open"


def memory(pid: int) -> int:
    """Return the resident memory of a process in MiB."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1]) // 1024
