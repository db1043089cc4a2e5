"""
A writer of log lines that never waits for their reader.

Lines queue for a thread, which writes all of them 20 times a second. While the reader does not read, they queue up to a
limit; further ones are dropped and counted, and a notice says how many as soon as lines flow again.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Callable
from threading import Event, Lock, Thread

MAX_QUEUED_LINES = 8192
GATHER_SECONDS = 0.05
"""Pause between two rounds of the thread: waking it costs more than writing a line."""
MAX_WRITE_BYTES = select.PIPE_BUF
"""Bytes of one system call: processes that write to the same pipe never cut each other's lines."""
RETRY_SECONDS = 1.0
"""Longest wait for room in a pipe that does not block."""


class LogWriter:
    """Lines on their way to a file descriptor. Any thread may write them."""

    def __init__(self, descriptor: int, notice: Callable[[int], bytes], max_lines: int = MAX_QUEUED_LINES) -> None:
        self.dropped = 0
        """Lines that were never written."""
        self._announced = 0
        """The dropped lines that notices have named."""
        self._descriptor = descriptor
        self._notice = notice
        self._max_lines = max_lines
        self._queue: deque[bytes] = deque()
        self._awake, self._hurry = Event(), Event()
        self._writing = Lock()
        """Held while lines are taken from the queue and written."""
        self._starting = Lock()
        self._thread: Thread | None = None

    def write(self, line: bytes) -> None:
        """Queue a line, or drop it if too many are queued."""
        if len(self._queue) >= self._max_lines:
            self.dropped += 1
            return
        self._queue.append(line)
        if not self._awake.is_set():
            self._awake.set()
            if self._thread is None:
                self._start()

    def write_now(self, line: bytes) -> None:
        """Write a line at once if that takes no waiting: so the last words of a process are not lost. Else queue it."""
        if len(line) <= MAX_WRITE_BYTES and self._writing.acquire(blocking=False):
            try:
                if not self._queue and self._has_room():
                    self._write(line, 1)
                    return
            finally:
                self._writing.release()
        self.write(line)

    def flush(self, seconds: float) -> bool:
        """Wait until all lines are written; return False if they are not within this time."""
        deadline = time.monotonic() + seconds
        self._hurry.set()
        try:
            while self._queue or self._writing.locked():
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.001)
        finally:
            self._hurry.clear()
        return True

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._work, name="log", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            self._awake.wait()
            self._awake.clear()
            self._hurry.wait(GATHER_SECONDS)
            with self._writing:
                while self._queue:
                    self._write(*self._take())

    def _take(self) -> tuple[bytes, int]:
        """Return the next lines, together at most MAX_WRITE_BYTES unless the first is longer, and their number."""
        lines = [self._queue.popleft()]
        size = len(lines[0])
        while self._queue and (size := size + len(self._queue[0])) <= MAX_WRITE_BYTES:
            lines.append(self._queue.popleft())
        return b"".join(lines), len(lines)

    def _write(self, text: bytes, lines: int) -> None:
        """Write whole lines, and then a notice if others were dropped. Drop them if there is an error."""
        try:
            self._write_all(text)
            if missing := self.dropped - self._announced:
                self._write_all(self._notice(missing))
                self._announced += missing
        except OSError:  # a full disk, or a reader that is gone
            self.dropped += lines

    def _write_all(self, text: bytes) -> None:
        while text:
            try:
                text = text[os.write(self._descriptor, text) :]
            except BlockingIOError:
                self._poll(RETRY_SECONDS)

    def _has_room(self) -> bool:
        return bool(self._poll(0))

    def _poll(self, seconds: float) -> list[tuple[int, int]]:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return poll.poll(seconds * 1e3)
