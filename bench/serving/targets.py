"""The performance targets of this server, and whether a run met them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.serving.loads import LOADS, Load
from bench.serving.results import BINARY_WIRE, GRPC_WIRE, JSON_WIRE
from bench.serving.summary import Cell, Metric, Spread, Summary, cpu, p50, rate, speed

OURS, OURS_V2, FLOOR, WRITTEN = "hourglass", "hourglass-v2", "floor", "written"
"""Contenders: this server by /v1 and by /v2, the bare ASGI application, the typical FastAPI application."""
MIN_RATIOS_TO_FLOOR: dict[Load, float] = {
    "json-1": 1.5,
    "json-32": 1.4,
    "binary-32": 0.75,
    "png": 1.3,
    "decode-32": 1.3,
}
MAX_CPU_OF_FLOOR: dict[str, dict[tuple[str, Load], float]] = {
    OURS: {
        ("dense", "json-1"): 0.52,
        ("dense", "json-32"): 0.62,
        ("dense", "png"): 0.55,
        ("dense", "decode-32"): 0.68,
        ("dense", "binary-32"): 0.94,
        ("conv", "binary-32"): 1.0,
    },
    OURS_V2: {
        ("dense", "json-1"): 0.75,
        ("dense", "json-32"): 0.68,
        ("dense", "decode-32"): 0.85,
        ("dense", "binary-32"): 0.94,
        ("conv", "binary-32"): 1.0,
    },
}
"""CPU time of a request in units of the floor's, at 16 connections."""
MIN_RATIOS_TO_WRITTEN: dict[Load, float] = {"json-1": 5, "json-32": 5, "decode-32": 5, "binary-32": 1.5}
MIN_RATIOS_TO_BARE = {"dense": 0.75, "conv": 0.92}
MAX_P50_RATIO_TO_FLOOR = 1.08
MAX_FIRST_ANSWER_SECONDS = 0.6
MAX_FIRST_ANSWER_OF_FLOOR = 2.0
MAX_PEAK_MB = 150.0
MAX_IDLE_CPU = 0.005
"""CPU seconds per second that count as zero: uvicorn looks at its clock ten times a second."""
MAX_GRPC_OF_JSON, MAX_GRPC_OF_BINARY = 1.5, 1.25
"""CPU time of gRPC in units of /v2's: one sample against JSON, 32 as raw bytes against binary tensors."""


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
        rows += [*floor_targets(summary, model), *cpu_targets(summary, model)]
        rows += [*written_targets(summary, model), *rival_targets(summary, model)]
        rows += [*latency_targets(summary, model), *bare_targets(summary, model)]
    return [*rows, *footprint_targets(summary), *wire_targets(summary)]


def floor_targets(summary: Summary, model: str) -> Iterator[Target]:
    """Yield the ratios to the floor at 16 connections."""
    for load, goal in MIN_RATIOS_TO_FLOOR.items():
        by_rate, by_cpu = (
            median(summary.ratio(OURS, FLOOR, Cell(model, load, 16), metric)) for metric in (rate, speed)
        )
        yield Target(f"{model}: `{load}`, ratio to floor, 16 connections", goal, True, by_rate, by_cpu)


def cpu_targets(summary: Summary, model: str) -> Iterator[Target]:
    """Yield the CPU time of a request in units of the floor's, at 16 connections."""
    for contender, goals in MAX_CPU_OF_FLOOR.items():
        for (its_model, load), goal in goals.items():
            if its_model == model:
                ratio = median(summary.ratio(contender, FLOOR, Cell(model, load, 16), cpu))
                yield Target(f"{model}: `{load}`, {contender}, CPU of floor's", goal, False, ratio)


def written_targets(summary: Summary, model: str) -> Iterator[Target]:
    """Yield the ratios to the typical FastAPI application: the lowest over all numbers of connections."""
    for load, goal in MIN_RATIOS_TO_WRITTEN.items():
        by_rate, by_cpu = (lowest_ratio(summary, WRITTEN, model, (load,), metric) for metric in (rate, speed))
        yield Target(f"{model}: `{load}`, lowest ratio to written", goal, True, by_rate, by_cpu)


def rival_targets(summary: Summary, model: str) -> Iterator[Target]:
    """Yield the ratio to each rival: the lowest over all loads and all numbers of connections."""
    for name in summary.contenders:
        if name in (OURS, OURS_V2, FLOOR) or name.startswith(WRITTEN):
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
        first, used = map(median, summary.first_answer(OURS, model))
        name = f"{model}: start to first correct answer"
        yield Target(name, MAX_FIRST_ANSWER_SECONDS, False, first, used, unit="s")
    floor, _ = map(median, summary.first_answer(FLOOR, "dense"))
    of_floor = first / floor if first and floor else None
    yield Target("bundled: the same, in units of the floor's with dense", MAX_FIRST_ANSWER_OF_FLOOR, False, of_floor)
    for footprint in summary.results.footprints:
        if footprint.contender == OURS:
            yield Target(f"{footprint.model}: idle CPU", MAX_IDLE_CPU, False, footprint.idle_cpu, unit="s/s")
            if footprint.model == "bundled":
                yield Target("bundled: peak memory", MAX_PEAK_MB, False, footprint.peak_mb, unit="MB")


def wire_targets(summary: Summary) -> Iterator[Target]:
    """Yield the CPU time of gRPC in units of /v2's over HTTP."""
    costs = {(cost.rows, cost.wire): cost.cpu_ms for cost in summary.results.wires}
    for rows, other, goal in ((1, JSON_WIRE, MAX_GRPC_OF_JSON), (32, BINARY_WIRE, MAX_GRPC_OF_BINARY)):
        ours, theirs = costs.get((rows, GRPC_WIRE)), costs.get((rows, other))
        ratio = ours / theirs if ours and theirs else None
        yield Target(f"gRPC, {rows} {'sample' if rows == 1 else 'samples'}, CPU of /v2's, {other}", goal, False, ratio)


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
