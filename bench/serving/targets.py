"""What must be shown, and whether it was: the aims that this server was built to, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.serving.contender import Load
from bench.serving.questions import LOADS
from bench.serving.summary import Cell, Number, Spread, Summary, p50, rate, speed

OURS, FLOOR, WRITTEN = "hourglass", "floor", "written"
FLOOR_RATIOS: dict[Load, float] = {"json-1": 1.5, "json-32": 1.4, "binary-32": 0.75, "png": 1.3, "decode-32": 1.3}
WRITTEN_RATIOS: dict[Load, float] = {"json-1": 5, "json-32": 5, "decode-32": 5, "binary-32": 1.5}
BARE_RATIOS = {"dense": 0.55, "conv": 0.72}
P50_RATIO = 1.15
FIRST_ANSWER_SECONDS = 1.2
PEAK_MB = 200.0
IDLE_CPU = 0.005
"""CPU seconds a second that pass for zero: uvicorn looks at its clock ten times a second."""


@dataclass(frozen=True)
class Finding:
    """One aim. Of a ratio there are two numbers: by rate and by CPU time; both must reach what is wanted."""

    what: str
    wanted: float
    at_least: bool
    by_rate: float | None
    by_cpu: float | None = None
    unit: str = ""

    @property
    def numbers(self) -> tuple[float | None, float | None]:
        """By rate, or by the clock; and by CPU time."""
        return self.by_rate, self.by_cpu

    @property
    def met(self) -> bool | None:
        """None where it was not measured."""
        if self.by_rate is None:
            return None
        return self.reached(self.by_rate) and (self.by_cpu is None or self.reached(self.by_cpu))

    def reached(self, value: float) -> bool:
        """Whether a number is as good as what is wanted."""
        return value >= self.wanted if self.at_least else value <= self.wanted


def findings(summary: Summary) -> list[Finding]:
    """All aims, in order."""
    found = []
    for model in summary.models:
        found += [*beside_floor(summary, model), *beside_written(summary, model), *beside_rivals(summary, model)]
        found += [*latency(summary, model), *beside_bare(summary, model)]
    return [*found, *needs(summary)]


def beside_floor(summary: Summary, model: str) -> Iterator[Finding]:
    """At 16 connections."""
    for load, wanted in FLOOR_RATIOS.items():
        by_rate, by_cpu = (middle(summary.ratio(OURS, FLOOR, Cell(model, load, 16), of)) for of in (rate, speed))
        yield Finding(f"{model}: `{load}`, of the floor, 16 connections", wanted, True, by_rate, by_cpu)


def beside_written(summary: Summary, model: str) -> Iterator[Finding]:
    """The least over all numbers of connections."""
    for load, wanted in WRITTEN_RATIOS.items():
        by_rate, by_cpu = (least_ratio(summary, WRITTEN, model, (load,), of) for of in (rate, speed))
        yield Finding(f"{model}: `{load}`, of the application that people write", wanted, True, by_rate, by_cpu)


def beside_rivals(summary: Summary, model: str) -> Iterator[Finding]:
    """The least over all loads and all numbers of connections, of each."""
    for name in summary.contenders:
        if name in (OURS, FLOOR) or name.startswith(WRITTEN):
            continue
        by_rate, by_cpu = (least_ratio(summary, name, model, LOADS, of) for of in (rate, speed))
        yield Finding(f"{model}: every load, of {name}", 1.0, True, by_rate, by_cpu)


def latency(summary: Summary, model: str) -> Iterator[Finding]:
    """The median at one connection."""
    for load in LOADS:
        ratio = middle(summary.ratio(OURS, FLOOR, Cell(model, load, 1), p50))
        yield Finding(f"{model}: `{load}`, p50 of the floor's, 1 connection", P50_RATIO, False, ratio)


def beside_bare(summary: Summary, model: str) -> Iterator[Finding]:
    """Samples a second over binary at 16 connections, of a batch of 32 in process."""
    by_rate, by_cpu = summary.ratio_to_bare(OURS, Cell(model, "binary-32", 16))
    what = f"{model}: `binary-32`, of bare onnxruntime, 16 connections"
    yield Finding(what, BARE_RATIOS[model], True, middle(by_rate), middle(by_cpu))


def needs(summary: Summary) -> Iterator[Finding]:
    """Start, memory and idle CPU; with one small model, and with the four bundled ones."""
    for model in (*summary.models, "bundled"):
        first, used = summary.first_answer(OURS, model)
        what = f"{model}: start to first right answer"
        yield Finding(what, FIRST_ANSWER_SECONDS, False, middle(first), middle(used), unit="s")
    for footprint in summary.results.footprints:
        if footprint.contender == OURS:
            yield Finding(f"{footprint.model}: idle CPU", IDLE_CPU, False, footprint.idle_cpu, unit="s/s")
            if footprint.model == "bundled":
                yield Finding("bundled: peak memory", PEAK_MB, False, footprint.peak_mb, unit="MB")


def middle(spread: Spread | None) -> float | None:
    """The median, where there is one."""
    return None if spread is None else spread.middle


def least_ratio(summary: Summary, other: str, model: str, loads: tuple[Load, ...], of: Number) -> float | None:
    """The least of the median ratios over loads and numbers of connections that both were measured under."""
    spreads = [
        summary.ratio(OURS, other, Cell(model, load, connections), of)
        for load in loads
        for connections in summary.connections
    ]
    return min((spread.middle for spread in spreads if spread), default=None)
