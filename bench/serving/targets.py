"""The performance targets of this server, and whether a run met them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.serving.loads import LOADS, Load
from bench.serving.summary import Cell, Metric, Spread, Summary, p50, rate, speed

OURS, FLOOR, WRITTEN = "hourglass", "floor", "written"
"""Contenders: this server, the bare ASGI application, the typical FastAPI application."""
MIN_RATIOS_TO_FLOOR: dict[Load, float] = {
    "json-1": 1.5,
    "json-32": 1.4,
    "binary-32": 0.75,
    "png": 1.3,
    "decode-32": 1.3,
}
MIN_RATIOS_TO_WRITTEN: dict[Load, float] = {"json-1": 5, "json-32": 5, "decode-32": 5, "binary-32": 1.5}
MIN_RATIOS_TO_BARE = {"dense": 0.55, "conv": 0.72}
MAX_P50_RATIO_TO_FLOOR = 1.15
MAX_FIRST_ANSWER_SECONDS = 1.2
MAX_PEAK_MB = 200.0
MAX_IDLE_CPU = 0.005
"""CPU seconds per second that count as zero: uvicorn looks at its clock ten times a second."""


@dataclass(frozen=True)
class Target:
    """One target and its measured value. A ratio has two values, by rate and by CPU time; both must reach the goal."""

    name: str
    goal: float
    at_least: bool
    value: float | None
    """By rate, or by the clock; None if it was not measured."""
    cpu_value: float | None = None
    """By CPU time; None if the target does not have one."""
    unit: str = ""

    @property
    def is_met(self) -> bool | None:
        """True or False; None if it was not measured."""
        if self.value is None:
            return None
        return self._reaches_goal(self.value) and (self.cpu_value is None or self._reaches_goal(self.cpu_value))

    def _reaches_goal(self, value: float) -> bool:
        return value >= self.goal if self.at_least else value <= self.goal


def targets(summary: Summary) -> list[Target]:
    """Return all targets, in the order of the document."""
    rows: list[Target] = []
    for model in summary.models:
        rows += [*floor_targets(summary, model), *written_targets(summary, model), *rival_targets(summary, model)]
        rows += [*latency_targets(summary, model), *bare_targets(summary, model)]
    return [*rows, *footprint_targets(summary)]


def floor_targets(summary: Summary, model: str) -> Iterator[Target]:
    """Yield the ratios to the floor at 16 connections."""
    for load, goal in MIN_RATIOS_TO_FLOOR.items():
        by_rate, by_cpu = (
            median(summary.ratio(OURS, FLOOR, Cell(model, load, 16), metric)) for metric in (rate, speed)
        )
        yield Target(f"{model}: `{load}`, ratio to floor, 16 connections", goal, True, by_rate, by_cpu)


def written_targets(summary: Summary, model: str) -> Iterator[Target]:
    """Yield the ratios to the typical FastAPI application: the lowest over all numbers of connections."""
    for load, goal in MIN_RATIOS_TO_WRITTEN.items():
        by_rate, by_cpu = (lowest_ratio(summary, WRITTEN, model, (load,), metric) for metric in (rate, speed))
        yield Target(f"{model}: `{load}`, lowest ratio to written", goal, True, by_rate, by_cpu)


def rival_targets(summary: Summary, model: str) -> Iterator[Target]:
    """Yield the ratio to each rival: the lowest over all loads and all numbers of connections."""
    for name in summary.contenders:
        if name in (OURS, FLOOR) or name.startswith(WRITTEN):
            continue
        by_rate, by_cpu = (lowest_ratio(summary, name, model, LOADS, metric) for metric in (rate, speed))
        yield Target(f"{model}: every load, lowest ratio to {name}", 1.0, True, by_rate, by_cpu)


def latency_targets(summary: Summary, model: str) -> Iterator[Target]:
    """Yield the ratios of the median latency to the floor's at one connection."""
    for load in LOADS:
        ratio = median(summary.ratio(OURS, FLOOR, Cell(model, load, 1), p50))
        yield Target(f"{model}: `{load}`, p50, ratio to floor, 1 connection", MAX_P50_RATIO_TO_FLOOR, False, ratio)


def bare_targets(summary: Summary, model: str) -> Iterator[Target]:
    """Yield the ratio of batches of 32 over binary at 16 connections to those of onnxruntime in process."""
    by_rate, by_cpu = summary.ratio_to_bare(OURS, Cell(model, "binary-32", 16))
    name = f"{model}: `binary-32`, ratio to bare onnxruntime, 16 connections"
    yield Target(name, MIN_RATIOS_TO_BARE[model], True, median(by_rate), median(by_cpu))


def footprint_targets(summary: Summary) -> Iterator[Target]:
    """Yield start, idle CPU and memory: with one small model, and with the four bundled ones."""
    for model in (*summary.models, "bundled"):
        first, used = summary.first_answer(OURS, model)
        name = f"{model}: start to first correct answer"
        yield Target(name, MAX_FIRST_ANSWER_SECONDS, False, median(first), median(used), unit="s")
    for footprint in summary.results.footprints:
        if footprint.contender == OURS:
            yield Target(f"{footprint.model}: idle CPU", MAX_IDLE_CPU, False, footprint.idle_cpu, unit="s/s")
            if footprint.model == "bundled":
                yield Target("bundled: peak memory", MAX_PEAK_MB, False, footprint.peak_mb, unit="MB")


def median(spread: Spread | None) -> float | None:
    """Return the median, or None without a spread."""
    return None if spread is None else spread.median


def lowest_ratio(summary: Summary, other: str, model: str, loads: tuple[Load, ...], metric: Metric) -> float | None:
    """Return the lowest median ratio over the loads and numbers of connections that both were measured under."""
    spreads = [
        summary.ratio(OURS, other, Cell(model, load, connections), metric)
        for load in loads
        for connections in summary.connections
    ]
    return min((spread.median for spread in spreads if spread), default=None)
