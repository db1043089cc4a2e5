"""CPU time and memory of a process and all that it started, from /proc."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Stat:
    """Some of /proc/PID/stat."""

    pid: int
    parent: int
    session: int
    ticks: int
    """Of the CPU, in user and kernel mode, with those of children that have ended."""

    @classmethod
    def parse(cls, text: str) -> Stat:
        """The name of a program may hold spaces and brackets: what follows its last bracket is numbers."""
        pid, _, rest = text.partition(" (")
        fields = rest.rpartition(") ")[2].split()
        return cls(int(pid), int(fields[1]), int(fields[3]), sum(map(int, fields[11:15])))


def all_stats(proc: Path = PROC) -> dict[int, Stat]:
    """Of every process that is there."""
    stats = {}
    for path in proc.glob("[0-9]*/stat"):
        try:
            stat = Stat.parse(path.read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
        stats[stat.pid] = stat
    return stats


def tree(root: int, mark: str, proc: Path = PROC) -> list[Stat]:
    """
    A process that leads a session, and all that came of it.

    They are in its session, or carry its mark in their environment where they left the session, or descend from such
    a process.
    """
    stats = all_stats(proc)
    found = {pid for pid, stat in stats.items() if root in (pid, stat.session) or is_marked(proc / str(pid), mark)}
    while True:
        more = {pid for pid, stat in stats.items() if stat.parent in found} - found
        if not more:
            return [stats[pid] for pid in sorted(found)]
        found |= more


def is_marked(process: Path, mark: str) -> bool:
    """Whether the environment that a process was started with holds a text."""
    try:
        return mark.encode() in (process / "environ").read_bytes()
    except OSError:
        return False


def cpu_seconds(stats: list[Stat]) -> float:
    """Of all of them."""
    return sum(stat.ticks for stat in stats) / TICKS


def run_seconds(stats: list[Stat], proc: Path = PROC) -> float:
    """CPU time of the threads that are alive: to the nanosecond, where `cpu_seconds` counts ticks of 10 ms."""
    nanoseconds = 0
    for stat in stats:
        for path in (proc / str(stat.pid) / "task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                nanoseconds += int(path.read_text().split()[0])
    return nanoseconds / 1e9


def memory_mb(stats: list[Stat]) -> float:
    """The sum of the proportional set sizes, in which a page that n processes share counts 1/n to each."""
    return total(stats, lambda pid: kibibytes(PROC / str(pid) / "smaps_rollup", "Pss"))


def peak_memory_mb(stats: list[Stat]) -> float:
    """The sum of the largest resident sizes, in which shared pages count to each."""
    return total(stats, lambda pid: kibibytes(PROC / str(pid) / "status", "VmHWM"))


def total(stats: list[Stat], size: Callable[[int], int]) -> float:
    """Megabytes (10^6 bytes) of those processes that are still there."""
    kibi = 0
    for stat in stats:
        with contextlib.suppress(OSError):
            kibi += size(stat.pid)
    return kibi * 1024 / 1e6


def busy_seconds(core: int, proc: Path = PROC) -> float:
    """That a core has worked since the machine was started, for anything, and that its host gave to other guests."""
    fields = next(line for line in (proc / "stat").read_text().splitlines() if line.startswith(f"cpu{core} ")).split()
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def kibibytes(path: Path, name: str) -> int:
    """A line `name: number kB` of a file; 0 where there is none."""
    found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    return int(found.group(1)) if found else 0
