"""The results of a run, with a description of its machine: one JSON file from which the report can be written again."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bench.serving.loads import Load

PACKAGES = ("onnxruntime", "numpy", "fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools", "orjson")


@dataclass(frozen=True)
class Measurement:
    """One contender under one load in one round."""

    round: int
    model: str
    contender: str
    load: Load
    connections: int
    requests: int
    seconds: float
    rate: float
    """Answers per second."""
    cpu_us: float
    """CPU time of all the server's processes per answer."""
    p50_us: float
    p99_us: float
    disturbance: float
    """Share of the servers' core that other processes took meanwhile, or other guests of the host."""

    def __str__(self) -> str:
        return (
            f"{self.round} {self.model:5} {self.load:9} {self.connections:2} {self.contender:16} {self.rate:8.0f}/s "
            f"{self.cpu_us:8.0f} us CPU, p50 {self.p50_us / 1e3:8.2f} ms, p99 {self.p99_us / 1e3:8.2f} ms, "
            f"others {self.disturbance:4.0%}"
        )


@dataclass(frozen=True)
class BareRun:
    """onnxruntime without a server, one batch of 32 after another."""

    round: int
    model: str
    rate: float
    """Batches per second."""
    cpu_us: float
    """CPU time per batch."""


@dataclass(frozen=True)
class Start:
    """The time from the start of a contender's process to its first correct answer."""

    model: str
    contender: str
    seconds: float
    cpu_seconds: float
    """CPU time of all its processes."""


@dataclass(frozen=True)
class Footprint:
    """The CPU time when idle and the memory of a contender that has the machine to itself."""

    model: str
    contender: str
    idle_cpu: float
    """CPU seconds per second without requests."""
    memory_mb: float
    """After the first answers: proportional set sizes."""
    peak_mb: float
    """After every load at 16 connections: largest resident sizes."""
    processes: int


JSON_WIRE, BINARY_WIRE, GRPC_WIRE, ECHO_WIRE = "JSON", "binary tensors", "gRPC", "a bare echo of grpc.aio"


@dataclass(frozen=True)
class WireCost:
    """The CPU time of this server for a request of /v2 with 16 connections, by the wire that it came on."""

    rows: int
    """0 for the echo, which has no rows."""
    wire: str
    cpu_ms: float


@dataclass(frozen=True)
class Skipped:
    """Something that could not be measured."""

    model: str
    contender: str
    load: str
    """Empty for all loads."""
    reason: str


@dataclass
class Results:
    """All results of one run."""

    machine: dict[str, str]
    options: dict[str, Any]
    measurements: list[Measurement] = field(default_factory=list)
    bare: list[BareRun] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    footprints: list[Footprint] = field(default_factory=list)
    wires: list[WireCost] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write indented JSON."""
        path.write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read a file that `write` wrote."""
        document = orjson.loads(path.read_bytes())
        return cls(
            machine=document["machine"],
            options=document["options"],
            measurements=[Measurement(**record) for record in document["measurements"]],
            bare=[BareRun(**record) for record in document["bare"]],
            starts=[Start(**record) for record in document["starts"]],
            footprints=[Footprint(**record) for record in document["footprints"]],
            wires=[WireCost(**record) for record in document.get("wires", ())],
            skipped=[Skipped(**record) for record in document["skipped"]],
        )


def describe_machine() -> dict[str, str]:
    """Return the processor, cores, kernel, versions and day."""
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
    """Return the processor's name from the kernel."""
    match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match.group(1) if match else platform.machine()


def wrk_version() -> str:
    """Return the version that wrk prints."""
    output = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return output.partition(" [")[0].removeprefix("wrk ").strip()
