"""A server under test: started by its command, watched through /proc, ended by its own process id."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import httpx

from bench.serving.processes import PROC, free_port, read_kibibytes

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
END_SECONDS = 60.0
KIBIBYTES = 1024


@dataclass(frozen=True)
class Bench:
    """The place where faults are caused: a command, models, and a folder for copies and logs."""

    scratch: Path
    command: str = str(Path(sys.executable).parent / "hourglass")
    models: Path = ROOT / "models"
    rounds: int = 60
    """Restarts of each kind under load."""
    is_quick: bool = False
    """True: fewer repetitions and shorter loads, for a first look."""

    def serve(self, models: Path | None = None, **options: Any) -> Server:
        """Return a server that is not started yet."""
        return Server(self.command, models or self.models, self.scratch, **options)

    def copy_models(self, name: str) -> Path:
        """Return a copy of the model repository that may be changed."""
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.models, folder)
        return folder

    def seconds(self, usual: float) -> float:
        """Return the seconds of a load."""
        return usual / 4 if self.is_quick else usual


class Server:
    """
    One server: `with` starts it and waits until it is ready, and ends it.

    Options in lower case are settings, such as workers=2.
    """

    def __init__(
        self,
        command: str,
        models: Path,
        scratch: Path,
        *,
        wait: bool = True,
        log_to: int | IO[Any] | None = None,
        wrap: Sequence[str] = (),
        preexec: Callable[[], None] | None = None,
        **settings: object,
    ) -> None:
        self.port = int(str(settings.pop("port", 0))) or free_port()
        self.log_path = scratch / f"log-{self.port}"
        self.is_waited_for, self.log_to, self.preexec = wait, log_to, preexec
        self.words = [*wrap, *shlex.split(command)]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("HOURGLASS_")}
        settings = {"drain_seconds": 1, "models_dir": models, **settings, "host": "127.0.0.1", "port": self.port}
        self.environment = plain | {f"HOURGLASS_{name.upper()}": str(value) for name, value in settings.items()}
        self.process: subprocess.Popen[bytes]
        self.start_seconds = 0.0

    @property
    def address(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        begin = time.monotonic()
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                self.words,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=self.log_to if self.log_to is not None else log,
                start_new_session=True,
                preexec_fn=self.preexec,
            )
        if self.is_waited_for and not self.wait_until_ready():
            self.kill()
            raise RuntimeError(f"not ready: {self.log()[-300:]}")
        self.start_seconds = time.monotonic() - begin
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.wait(END_SECONDS)
        self.kill()

    def wait_until_ready(self, seconds: float = START_SECONDS) -> bool:
        """Wait until all workers serve; return False if that takes too long or the process ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if self.status("/readyz") == 200 and self.has_all_workers():
                return True
            time.sleep(0.02)
        return False

    def has_all_workers(self) -> bool:
        """Return True if as many processes serve as were asked for."""
        count = int(self.environment.get("HOURGLASS_WORKERS", "1"))
        return count == 1 or self.log().count("startup complete") >= count

    def wait(self, seconds: float) -> int | None:
        """Wait for the end, and return the exit code; None if the process still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None

    def kill(self) -> None:
        """Kill what is left of the server."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)

    def log(self) -> str:
        """Return what was logged so far."""
        return self.log_path.read_text(errors="replace")

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in lines if line.get("event") == event]

    def status(self, path: str, timeout: float = 5) -> int:
        """Return the status of a GET, 0 if there is no answer in time."""
        try:
            return httpx.get(self.address + path, timeout=timeout, trust_env=False).status_code
        except httpx.HTTPError:
            return 0

    def get(self, path: str) -> Any:
        """Return the JSON of an answer."""
        return httpx.get(self.address + path, timeout=30, trust_env=False).json()

    def get_text(self, path: str) -> str:
        """Return the text of an answer."""
        return httpx.get(self.address + path, timeout=30, trust_env=False).text

    def versions(self, model: str = "mnist-ae") -> list[int]:
        """Return the served versions of a model."""
        return [entry["version"] for entry in self.get(f"/v1/models/{model}/versions").get("models", [])]

    def connect(self, content: bytes = b"", timeout: float = 30, receive_buffer: int = 0) -> socket.socket:
        """Return a connection on which some bytes were sent."""
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(timeout)
        connection.connect(("127.0.0.1", self.port))
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(content)
        return connection

    def pids(self) -> list[int]:
        """Return the process and its descendants."""
        pids, queue = [], [self.process.pid]
        while queue:
            pid = queue.pop()
            if is_alive(pid):
                pids.append(pid)
                with contextlib.suppress(OSError):
                    queue += map(int, (PROC / f"{pid}/task/{pid}/children").read_text().split())
        return pids

    def workers(self) -> list[int]:
        """Return the serving processes: the one, or those that the supervisor started."""
        children = [pid for pid in self.pids()[1:] if b"spawn_main" in command_line(pid)]
        return children or self.pids()[:1]

    def resident_mib(self, field: str = "VmRSS") -> float:
        """Return the resident memory of all serving processes, or with VmHWM their peaks."""
        total = 0
        for pid in self.workers():
            with contextlib.suppress(OSError):
                total += read_kibibytes(PROC / str(pid) / "status", field)
        return total / KIBIBYTES

    def proportional_mib(self) -> float:
        """Return the memory of all processes; of a page that n processes share, each counts 1/n."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                total += read_kibibytes(PROC / str(pid) / "smaps_rollup", "Pss")
        return total / KIBIBYTES

    def reset_peak(self) -> None:
        """Let VmHWM begin anew."""
        for pid in self.workers():
            (PROC / str(pid) / "clear_refs").write_text("5")

    def descriptors(self) -> int:
        """Return the number of open files and connections of all serving processes."""
        return sum(len(list((PROC / str(pid) / "fd").iterdir())) for pid in self.workers())

    def cpu_seconds(self) -> float:
        """Return the processor time of all serving processes so far."""
        ticks = 0
        for pid in self.workers():
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def is_alive(pid: int) -> bool:
    """Return True unless the process has ended."""
    with contextlib.suppress(OSError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def command_line(pid: int) -> bytes:
    """Return the words of a process, empty if it has ended."""
    with contextlib.suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_bytes()
    return b""


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until a condition holds; return False if it does not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def read_all(connection: socket.socket, seconds: float = 30) -> bytes:
    """Read until the server closes the connection, or nothing comes."""
    connection.settimeout(seconds)
    content = b""
    with contextlib.suppress(OSError):
        while part := connection.recv(2**20):
            content += part
    return content


def read_answer(connection: socket.socket, seconds: float = 30) -> tuple[int, bytes]:
    """Return the status and the body of the next answer, 0 if none comes."""
    connection.settimeout(seconds)
    content = b""
    with contextlib.suppress(OSError):
        while b"\r\n\r\n" not in content and (part := connection.recv(65536)):
            content += part
        head, _, body = content.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"\ncontent-length:")[2].split(b"\r")[0] or 0)
        while len(body) < length and (part := connection.recv(2**20)):
            body += part
        return (int(content.split(b" ")[1]), body) if content else (0, b"")
    return (int(content.split(b" ")[1]) if b" " in content else 0, b"")


PROBES = """
import select, socket, sys, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
slowest = 0.0
while not select.select([sys.stdin], [], [], 0.02)[0]:
    begin = time.monotonic()
    connection.sendall(b"GET /livez HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    connection.recv(4096)
    slowest = max(slowest, time.monotonic() - begin)
print(slowest)
"""


class Probes:
    """A process that asks for /livez all the time, since the threads of a load keep each other waiting."""

    def __init__(self, port: int) -> None:
        command = [sys.executable, "-c", PROBES, str(port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self) -> float:
        """Return the seconds of the slowest answer."""
        output, _ = self._process.communicate(input="\n", timeout=60)
        return float(output)
