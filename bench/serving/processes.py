"""Servers as processes: start one on a core, stop it with all its children, read CPU time and memory from /proc."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.serving.servers import Contender

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 10.0
MARK_VARIABLE = "BENCH_SERVER"
"""An environment variable that processes inherit, so that all of one server can be found."""


class StartError(Exception):
    """A contender did not start."""


class Server:
    """A contender that was started, and its tree of processes."""

    def __init__(self, contender: Contender, folder: Path, core: int, log: Path) -> None:
        self.contender = contender
        self.port = free_port()
        self.log = log
        mark = uuid.uuid4().hex
        self._mark = f"{MARK_VARIABLE}={mark}"
        # an installed server has its bytecode
        ours = {"ORT_DISABLE_TELEMETRY": "1", "PYTHONDONTWRITEBYTECODE": "", MARK_VARIABLE: mark}
        environment = {**os.environ, **contender.environment, **ours}
        command = ["taskset", "-c", str(core), *contender.start(self.port, folder)]
        self.started = time.perf_counter()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """The process that was started, which may have others below it."""
        return self._process.pid

    @property
    def address(self) -> str:
        """The base URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> None:
        """Wait until the server is ready. Raises StartError with the end of its log."""
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
        """Return the last four lines of the log."""
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-4:])

    def stats(self) -> list[Stat]:
        """Return the counters of all its processes."""
        return process_tree(self._process.pid, self._mark)

    def cpu_seconds(self) -> float:
        """Return the CPU time that all its processes have used so far."""
        return cpu_seconds(self.stats())

    def stop(self) -> None:
        """Ask the server to end, and kill the rest of its tree after 10 s."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=STOP_SECONDS)
        for stat in self.stats():
            with contextlib.suppress(ProcessLookupError):
                os.kill(stat.pid, signal.SIGKILL)
        self._process.wait(timeout=STOP_SECONDS)


@contextlib.contextmanager
def running(contender: Contender, folder: Path, core: int) -> Iterator[Server]:
    """Start a contender, yield it once it is ready, and stop it at the end of the block. Raises StartError."""
    with tempfile.TemporaryDirectory() as scratch:
        server = Server(contender, folder, core, Path(scratch) / "log")
        try:
            server.wait()
            yield server
        finally:
            server.stop()


def free_port() -> int:
    """Return a port on which nothing listened a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True)
class Stat:
    """Some fields of /proc/PID/stat."""

    pid: int
    parent: int
    session: int
    ticks: int
    """CPU time in user and kernel mode, including that of children that have ended."""

    @classmethod
    def parse(cls, text: str) -> Stat:
        """Parse the file. A program's name may contain spaces and brackets; only numbers follow its last bracket."""
        pid, _, rest = text.partition(" (")
        fields = rest.rpartition(") ")[2].split()
        return cls(int(pid), int(fields[1]), int(fields[3]), sum(map(int, fields[11:15])))


def all_stats(proc: Path = PROC) -> dict[int, Stat]:
    """Return the counters of every process, by its id."""
    stats = {}
    for path in proc.glob("[0-9]*/stat"):
        try:
            stat = Stat.parse(path.read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
        stats[stat.pid] = stat
    return stats


def process_tree(root: int, mark: str, proc: Path = PROC) -> list[Stat]:
    """
    Return a process that leads a session, and every process that it started, directly or not.

    Such a process is in the session, or has the mark in its environment, or descends from one of these.
    """
    stats = all_stats(proc)
    pids = {pid for pid, stat in stats.items() if root in (pid, stat.session) or is_marked(proc / str(pid), mark)}
    while True:
        children = {pid for pid, stat in stats.items() if stat.parent in pids} - pids
        if not children:
            return [stats[pid] for pid in sorted(pids)]
        pids |= children


def is_marked(process: Path, mark: str) -> bool:
    """Return True if the process was started with this text in its environment."""
    try:
        return mark.encode() in (process / "environ").read_bytes()
    except OSError:
        return False


def cpu_seconds(stats: list[Stat]) -> float:
    """Return the sum of the processes' CPU time, in ticks of 10 ms on most kernels."""
    return sum(stat.ticks for stat in stats) / TICKS_PER_SECOND


def thread_seconds(stats: list[Stat], proc: Path = PROC) -> float:
    """Return the CPU time of the threads that are alive, to the nanosecond."""
    nanoseconds = 0
    for stat in stats:
        for path in (proc / str(stat.pid) / "task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                nanoseconds += int(path.read_text().split()[0])
    return nanoseconds / 1e9


def memory_mb(stats: list[Stat]) -> float:
    """Return the sum of the proportional set sizes: of a page shared by n processes, each counts 1/n."""
    return sum_megabytes(stats, lambda pid: read_kibibytes(PROC / str(pid) / "smaps_rollup", "Pss"))


def peak_memory_mb(stats: list[Stat]) -> float:
    """Return the sum of the largest resident sizes: each process counts the whole of a shared page."""
    return sum_megabytes(stats, lambda pid: read_kibibytes(PROC / str(pid) / "status", "VmHWM"))


def sum_megabytes(stats: list[Stat], kibibytes: Callable[[int], int]) -> float:
    """Return megabytes (10^6 bytes), summed over the processes that still exist."""
    total = 0
    for stat in stats:
        with contextlib.suppress(OSError):
            total += kibibytes(stat.pid)
    return total * 1024 / 1e6


def busy_seconds(core: int, proc: Path = PROC) -> float:
    """Return the seconds since boot that a core spent on any work, or that its host gave to other guests."""
    fields = next(line for line in (proc / "stat").read_text().splitlines() if line.startswith(f"cpu{core} ")).split()
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND


def read_kibibytes(path: Path, name: str) -> int:
    """Read a line `name: number kB` of a file; return 0 if it has none."""
    match = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    return int(match.group(1)) if match else 0
