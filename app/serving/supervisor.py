"""
The process that watches over several serving processes, which share its sockets.

The supervisor loads no models. It starts the workers, replaces those that die or no longer react, and ends when they
have ended. A pipe of short messages joins it to each worker:

    to a worker:        ping, drain, end, reload
    to the supervisor:  pong, started, failed …

The end of a pipe is the end of the process behind it.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from time import monotonic, sleep
from typing import TypeAlias

import structlog

from app.errors import StartupError
from app.serving.listener import HANDSHAKE_SECONDS
from app.serving.signals import END_SIGNALS, SIGNALS
from app.settings import Settings

log = structlog.get_logger(__name__)

PING_SECONDS = 5.0
MAX_START_SILENCE_SECONDS = 60.0
"""A worker that starts may be silent for so long: imports and models keep a slow machine busy."""
MAX_SILENCE_SECONDS = 15.0
"""A worker that serves and answers no ping for so long is stopped or stuck, and is replaced."""
MAX_RESTART_SECONDS = 30.0
"""The longest wait before a worker that failed to start is started again; the first is 1 s, each next twice as long."""
KILL_SECONDS = 6.0
"""The time beyond `shutdown_seconds` after which a worker is killed: its own limits come first."""

Work: TypeAlias = Callable[[Settings, list[socket.socket], Connection], None]
"""The function that a worker runs. It must be importable by its name."""


class Worker:
    """A worker, as its supervisor sees it."""

    def __init__(self, work: Work, settings: Settings, listeners: list[socket.socket]) -> None:
        context = get_context("spawn")
        self.pipe, other_end = context.Pipe()
        self.process = context.Process(target=work, args=(settings, listeners, other_end))
        resource_tracker.ensure_running()  # it would unblock the signals
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # the worker leaves them to its SignalThread
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        other_end.close()
        self.started = False
        """True once it serves."""
        self.killed = False
        self.last_ping = self.last_message = monotonic()

    def send(self, message: bytes) -> None:
        """Send a message; a worker that has ended gets none."""
        with suppress(OSError):
            self.pipe.send_bytes(message)

    def receive(self) -> bytes:
        """Return the next message, or nothing at the end of the pipe."""
        with suppress(OSError, EOFError):
            return self.pipe.recv_bytes()
        return b""

    def is_silent(self, now: float) -> bool:
        """Ping the worker from time to time; return True if it does not answer."""
        if self.last_message >= self.last_ping and now - self.last_ping > PING_SECONDS:
            self.last_ping = now
            self.send(b"ping")
        limit = MAX_SILENCE_SECONDS if self.started else MAX_START_SILENCE_SECONDS
        return self.last_message < self.last_ping < now - limit


class Supervisor:
    """
    Starts workers and keeps their number.

    `announce` is called once the first worker listens. At the first signal all workers drain. At the end of the drain,
    or at the second signal, `refuse` refuses new connections for all of them at once, the supervisor closes its own
    copy of the sockets, and the workers end.
    """

    def __init__(
        self,
        settings: Settings,
        listeners: list[socket.socket],
        work: Work,
        announce: Callable[[], None],
        refuse: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._listeners = listeners
        self._work = work
        self._announce = announce
        self._refuse = refuse
        self._workers: list[Worker] = []
        self._announced = False
        self._failures = 0
        """Workers in a row that failed to start."""
        self._due: list[float] = []
        """When to start workers in place of those that failed to start."""
        self._drain_end: float | None = None
        self._kill_time: float | None = None

    def run(self) -> int:
        """Serve until a signal, then return the exit code. Raises StartupError if a worker of the first fails."""
        with _signals() as wake:
            try:
                for _ in range(self._settings.workers):
                    self._start_worker()
                while self._workers or self._due:
                    self._run_once(wake)
            finally:
                for worker in self._workers:
                    worker.process.kill()
        return 0

    def _run_once(self, wake: socket.socket) -> None:
        pipes = [worker.pipe for worker in self._workers]
        wait([wake, *pipes, *[worker.process.sentinel for worker in self._workers]], self._wait_seconds())
        with suppress(BlockingIOError):
            for number in wake.recv(64):
                self._handle_signal(number)
        for worker in list(self._workers):
            ended = worker.process.exitcode is not None  # asked first: its last message may be unread
            while worker in self._workers and worker.pipe.poll() and (message := worker.receive()):
                self._handle_message(worker, message)
            if ended and worker in self._workers:
                self._handle_death(worker)
        self._keep_time(monotonic())

    def _wait_seconds(self) -> float:
        """Return the seconds until the next thing to do."""
        phase_end = self._drain_end if self._kill_time is None else self._kill_time
        times = [*self._due, *([] if phase_end is None or phase_end < monotonic() else [phase_end])]
        return min([PING_SECONDS, *[max(0.0, time - monotonic()) for time in times]])

    def _start_worker(self) -> None:
        self._workers.append(Worker(self._work, self._settings, self._listeners))

    def _handle_signal(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._send_all(b"reload")
        elif number in END_SIGNALS and self._drain_end is None:
            seconds = self._settings.drain_seconds if self._announced else 0
            log.info("draining", seconds=seconds)
            self._due.clear()
            self._drain_end = monotonic() + seconds
            self._send_all(b"drain")  # a worker that does not serve yet ends at once
        elif number in END_SIGNALS and self._kill_time is None:
            self._end_all()
        elif number == signal.SIGINT:
            self._kill_time = monotonic()

    def _handle_message(self, worker: Worker, message: bytes) -> None:
        worker.last_message = monotonic()
        if message == b"started":
            worker.started = True
            self._failures = 0
            if not self._announced:
                self._announced = True
                self._announce()
        elif message.startswith(b"failed "):
            reason = message.removeprefix(b"failed ").decode()
            if not self._announced:
                raise StartupError(reason)
            log.error("worker failed to start", reason=reason)

    def _handle_death(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.process.join()
        worker.pipe.close()
        if self._drain_end is not None:
            return
        exit_code = worker.process.exitcode
        if not self._announced:
            raise StartupError(f"a worker ended with exit code {exit_code} before it served")
        if worker.started:
            log.warning("worker ended and is replaced", pid=worker.process.pid, exit_code=exit_code)
            self._start_worker()
        else:
            seconds = min(2.0**self._failures, MAX_RESTART_SECONDS)
            self._failures += 1
            log.error("worker ended before it served", pid=worker.process.pid, exit_code=exit_code, next_start=seconds)
            self._due.append(monotonic() + seconds)

    def _keep_time(self, now: float) -> None:
        for worker in self._workers:
            is_late = self._kill_time is not None and now >= self._kill_time
            if not worker.killed and (is_late or worker.is_silent(now)):
                worker.killed = True
                log.error("worker does not react and is killed", pid=worker.process.pid)
                worker.process.kill()
        for time in [time for time in self._due if time <= now]:
            self._due.remove(time)
            self._start_worker()
        if self._drain_end is not None and now >= self._drain_end:
            self._end_all()

    def _end_all(self) -> None:
        """Let the workers accept what the kernel has accepted, and end."""
        if self._kill_time is not None:
            return
        self._refuse()
        sleep(HANDSHAKE_SECONDS)
        for listener in self._listeners:
            listener.close()
        self._send_all(b"end")
        self._kill_time = monotonic() + self._settings.shutdown_seconds + KILL_SECONDS

    def _send_all(self, message: bytes) -> None:
        for worker in self._workers:
            worker.send(message)


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Give a socket from which the numbers of signals can be read, one byte each."""
    reading, writing = socket.socketpair()
    reading.setblocking(False)
    writing.setblocking(False)
    previous = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    previous_wakeup = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(previous_wakeup)
        for number, handler in previous.items():
            signal.signal(number, handler)
        reading.close()
        writing.close()
