"""What a run of the benchmark found, as data: one JSON file from which tables and plot can be drawn again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bench.serving.contender import Load


@dataclass(frozen=True)
class Measurement:
    """One contender under one load, once."""

    round: int
    model: str
    contender: str
    load: Load
    connections: int
    requests: int
    seconds: float
    rate: float
    """Answers a second."""
    cpu_us: float
    """CPU time of all the server's processes for an answer."""
    p50_us: float
    p99_us: float
    taken: float
    """Share of the servers' core that went to other processes meanwhile, or to other guests of the host."""


@dataclass(frozen=True)
class BareRun:
    """onnxruntime without a server, a batch of 32 after another."""

    round: int
    model: str
    rate: float
    """Batches a second."""
    cpu_us: float
    """CPU time for a batch."""


@dataclass(frozen=True)
class Start:
    """From the start of a contender's process to its first right answer."""

    model: str
    contender: str
    seconds: float
    cpu_seconds: float
    """Of all its processes."""


@dataclass(frozen=True)
class Footprint:
    """What a contender needs, alone on the machine."""

    model: str
    contender: str
    idle_cpu: float
    """CPU seconds a second, with nothing to do."""
    memory_mb: float
    """After the first answers: proportional set sizes."""
    peak_mb: float
    """After every load at 16 connections: largest resident sizes."""
    processes: int


@dataclass(frozen=True)
class LeftOut:
    """What was not measured, and why."""

    model: str
    contender: str
    load: str
    """Empty: all of them."""
    why: str


@dataclass
class Results:
    """All of one run."""

    machine: dict[str, str]
    options: dict[str, Any]
    measurements: list[Measurement] = field(default_factory=list)
    bare: list[BareRun] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    footprints: list[Footprint] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """As indented JSON."""
        path.write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

    @classmethod
    def read(cls, path: Path) -> Results:
        """What `write` wrote."""
        held = orjson.loads(path.read_bytes())
        return cls(
            machine=held["machine"],
            options=held["options"],
            measurements=[Measurement(**record) for record in held["measurements"]],
            bare=[BareRun(**record) for record in held["bare"]],
            starts=[Start(**record) for record in held["starts"]],
            footprints=[Footprint(**record) for record in held["footprints"]],
            left_out=[LeftOut(**record) for record in held["left_out"]],
        )
