"""How many cores this process may use: what the container was given, not what the host has."""

from __future__ import annotations

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def cpu_quota(cgroups: Path = CGROUPS) -> float | None:
    """
    Cores that the control group allows, None where it sets no limit or cannot be read.

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
    """The smaller of the affinity mask and the quota, at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(cgroups)
    return max(1, affinity if quota is None else min(affinity, int(quota)))
