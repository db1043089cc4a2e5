"""The process's share of the machine: cores that it may use, and memory that it gives back."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Source: glibc, malloc/malloc.h; mallopt(3)"""

MEBIBYTE = 1024 * 1024
MMAP_THRESHOLD_BYTES = 8 * MEBIBYTE
"""
Blocks from this size on are mapped separately: freed among small blocks, they would leave holes that nothing fills.
Activations of a small network should be smaller, since mapping a block anew takes a quarter of its run.
"""
TRIM_THRESHOLD_BYTES = 32 * MEBIBYTE
"""Free bytes that may stay at the end of the heap: returning and requesting them costs more than a small run."""


def limit_heap() -> None:
    """
    Share one heap between all threads, and bound the free memory that it keeps.

    A heap of its own would keep as much as a thread ever needed. Call this before there are threads. It does nothing
    if the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, 1)
        library.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        library.mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)


def return_memory() -> None:
    """Return free memory to the system; do nothing if the C library is not glibc."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def settle() -> None:
    """
    Return the memory that loading left behind, and let the garbage collector pass over what is loaded, from now on.

    The collector was off since the start (`app.__main__`). Nothing is collected here, since a pass takes 50 ms: the
    cycles that imports leave behind take less than a mebibyte.
    """
    gc.freeze()
    gc.enable()
    return_memory()


def cpu_quota(cgroups: Path = CGROUPS) -> float | None:
    """
    Return the cores that the control group allows, or None if it sets no limit or cannot be read.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and scheduler/sched-bwc.rst (version 1)
    """
    try:
        limit, period = (cgroups / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit_us = int((cgroups / "cpu" / "cpu.cfs_quota_us").read_text())
        period_us = int((cgroups / "cpu" / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return limit_us / period_us if limit_us > 0 else None


def available_cores(cgroups: Path = CGROUPS) -> int:
    """Return the smaller of the affinity mask and the control group's quota, at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(cgroups)
    return max(1, affinity if quota is None else min(affinity, int(quota)))
