"""Start a contender on a core of its own, watch it, stop it with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench.serving import processes
from bench.serving.contender import Contender

STOP_SECONDS = 10.0
MARK = "BENCH_SERVER"


class StartError(Exception):
    """A contender did not come up."""


class Server:
    """A contender that was started, and its tree of processes."""

    def __init__(self, contender: Contender, folder: Path, core: int, log: Path) -> None:
        self.contender = contender
        self.port = free_port()
        self.log = log
        mark = uuid.uuid4().hex
        self._mark = f"{MARK}={mark}"
        environment = {**os.environ, **contender.environment, "ORT_DISABLE_TELEMETRY": "1", MARK: mark}
        command = ["taskset", "-c", str(core), *contender.start(self.port, folder)]
        self.started = time.perf_counter()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
            )

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> None:
        """Until it says that it is ready. Raises StartError with the end of its log."""
        limit = self.started + self.contender.start_seconds
        with httpx.Client(base_url=self.address, timeout=5) as client:
            while time.perf_counter() < limit:
                if self._process.poll() is not None:
                    raise StartError(
                        f"{self.contender.name} ended with {self._process.returncode}: {self.end_of_log()}"
                    )
                try:
                    if client.get(self.contender.ready).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.005)
        seconds = self.contender.start_seconds
        raise StartError(f"{self.contender.name} was not ready after {seconds:g} s: {self.end_of_log()}")

    def end_of_log(self) -> str:
        """Its last lines."""
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-4:])

    def stats(self) -> list[processes.Stat]:
        """Of its processes."""
        return processes.tree(self._process.pid, self._mark)

    def cpu_seconds(self) -> float:
        """That all its processes have used so far."""
        return processes.cpu_seconds(self.stats())

    def stop(self) -> None:
        """Ask it to end, and end what is left of its tree after a while."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=STOP_SECONDS)
        for stat in self.stats():
            with contextlib.suppress(ProcessLookupError):
                os.kill(stat.pid, signal.SIGKILL)
        self._process.wait(timeout=STOP_SECONDS)


@contextlib.contextmanager
def running(contender: Contender, folder: Path, core: int) -> Iterator[Server]:
    """A contender that is ready, until the end of the block. Raises StartError."""
    with tempfile.TemporaryDirectory() as scratch:
        server = Server(contender, folder, core, Path(scratch) / "log")
        try:
            server.wait()
            yield server
        finally:
            server.stop()


def free_port() -> int:
    """One that nothing listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
