"""Requests on raw sockets: what was answered, and what was lost."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from collections import Counter
from contextlib import suppress

PROBE = b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n"
UNIX_SOCKET = "unix socket "
READY = b"GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n"


def connect(address: str, seconds: float = 30) -> socket.socket:
    """Return a connection to a server whose address is a URL, or `unix socket PATH`."""
    if address.startswith(UNIX_SOCKET):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(seconds)
        try:
            connection.connect(address.removeprefix(UNIX_SOCKET))
        except OSError:
            connection.close()
            raise
        return connection
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), seconds)


def read_answer(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return the head, in lower case, and the body of the next answer; what is missing if the connection ends."""
    content = b""
    while b"\r\n\r\n" not in content and (part := connection.recv(65536)):
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    head = head.lower()
    length = int(head.partition(b"\ncontent-length:")[2].split(b"\r\n")[0] or 0)
    while len(body) < length and (part := connection.recv(65536)):
        body += part
    return head, body if len(body) == length else b""


def ask(address: str, request: bytes) -> tuple[bytes, bytes]:
    """Return the head and the body of the answer to a request on a connection of its own."""
    with connect(address) as connection:
        connection.sendall(request)
        return read_answer(connection)


class Load:
    """
    Clients that ask for /livez one request after another, until they are refused.

    Half of them use a connection for each request, the others keep theirs. A request is lost if it was sent and not
    answered.
    """

    def __init__(self, address: str, clients: int = 8) -> None:
        self.address = address
        self.outcomes: Counter[str] = Counter()
        self.answered = threading.Event()
        """Set once a hundred requests are answered."""
        self._threads = [threading.Thread(target=self._run, args=(number % 2 == 0,)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def end(self, process: subprocess.Popen[str]) -> Counter[str]:
        """Send SIGTERM to the server under load, and return the number of each outcome once it has ended well."""
        assert self.answered.wait(60)
        process.send_signal(signal.SIGTERM)
        outcomes = self.wait()
        assert process.wait(timeout=30) == 0
        return outcomes

    def wait(self) -> Counter[str]:
        """Wait until every client is refused, and return the number of each outcome."""
        for thread in self._threads:
            thread.join(60)
        return self.outcomes

    def _run(self, keep: bool) -> None:
        connection: socket.socket | None = None
        while True:
            try:
                connection = connection or connect(self.address, 5)
            except OSError:
                return
            outcome, ends = "lost", True
            with suppress(OSError):
                connection.sendall(PROBE)
                head, body = read_answer(connection)
                if body:
                    outcome, ends = head[9:12].decode(), b"connection: close" in head
            self.outcomes[outcome] += 1
            if sum(self.outcomes.values()) >= 100:
                self.answered.set()
            if ends or not keep:
                connection.close()
                connection = None
