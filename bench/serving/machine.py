"""What the numbers were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

PACKAGES = ("onnxruntime", "numpy", "fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools", "orjson")


def describe() -> dict[str, str]:
    """Processor, cores, kernel, versions, day."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "processor": processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "wrk": wrk_version(),
        **versions,
        "day": datetime.now(UTC).date().isoformat(),
    }


def processor() -> str:
    """Its name as the kernel knows it."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def wrk_version() -> str:
    """Of the load generator."""
    told = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return told.partition(" [")[0].removeprefix("wrk ").strip()
