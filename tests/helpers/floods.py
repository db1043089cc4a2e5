"""Many clients at once, each of which makes a server hold bytes, and the memory that this takes."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.helpers.wire import RawAnswer, connect, read_answers

HERE = b"Host: here\r\n"


def request(path: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """Return a POST request; `length` is what it announces, if that is not the length of its body."""
    lines = [f"POST {path} HTTP/1.1", "Host: here", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


class Flood:
    """Connections that have sent the same bytes and, except for the head of an early answer, read nothing."""

    def __init__(self, address: str, content: bytes, count: int, receive_buffer: int | None = None) -> None:
        self.sockets = [connect(address, receive_buffer) for _ in range(count)]
        senders = [threading.Thread(target=self._send, args=(sock, content)) for sock in self.sockets]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    def read(self, seconds: float = 60) -> list[RawAnswer | None]:
        """Read one answer from each connection at once; None if there is none in time."""
        answers: list[RawAnswer | None] = [None] * len(self.sockets)

        def read(index: int, sock: socket.socket) -> None:
            sock.settimeout(seconds)
            with suppress(TimeoutError, OSError, IndexError):
                answers[index] = read_answers(sock, 1)[0]

        readers = [threading.Thread(target=read, args=pair) for pair in enumerate(self.sockets)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        return answers

    def close(self) -> None:
        """Close all connections."""
        for sock in self.sockets:
            sock.close()

    @staticmethod
    def _send(sock: socket.socket, content: bytes) -> None:
        with suppress(OSError):
            sock.sendall(content)


@contextmanager
def flood(address: str, content: bytes, count: int, receive_buffer: int | None = None) -> Iterator[Flood]:
    """Send the same bytes on many connections; close them at the end."""
    clients = Flood(address, content, count, receive_buffer)
    try:
        yield clients
    finally:
        clients.close()


def statuses(answers: Sequence[RawAnswer | None]) -> Counter[int]:
    """Return the number of answers with each status; 0 for those that did not come."""
    return Counter(answer.status if answer else 0 for answer in answers)


class PeakMemory:
    """The largest resident memory of a process since this was made, in MiB."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # starts the peak again

    @property
    def peak(self) -> int:
        """The largest amount."""
        return self._field("VmHWM")

    @property
    def now(self) -> int:
        """The present amount."""
        return self._field("VmRSS")

    def _field(self, name: str) -> int:
        [line] = [line for line in self._status.read_text().splitlines() if line.startswith(f"{name}:")]
        return int(line.split()[1]) // 1024
