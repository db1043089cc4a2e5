"""Medians, ranges and ratios over the rounds of a run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.serving.loads import Load
from bench.serving.results import Measurement, Results

Metric = Callable[[Measurement], float]


def rate(measurement: Measurement) -> float:
    """Return answers per second; more is better."""
    return measurement.rate


def speed(measurement: Measurement) -> float:
    """Return answers per second of CPU time; more is better."""
    return 1e6 / measurement.cpu_us


def cpu(measurement: Measurement) -> float:
    """Return microseconds of CPU time per answer; less is better."""
    return measurement.cpu_us


def p50(measurement: Measurement) -> float:
    """Return the median latency in microseconds; less is better."""
    return measurement.p50_us


def p99(measurement: Measurement) -> float:
    """Return the 99th percentile of the latency in microseconds; less is better."""
    return measurement.p99_us


@dataclass(frozen=True)
class Spread:
    """The median and the range of some numbers."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Spread | None:
        """Return the spread, or None if there are no numbers."""
        ordered = sorted(numbers)
        return cls(statistics.median(ordered), ordered[0], ordered[-1]) if ordered else None


@dataclass(frozen=True)
class Cell:
    """A model, a load and a number of connections."""

    model: str
    load: Load
    connections: int


class Summary:
    """The measurements of a run, combined over its rounds."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._by_round: dict[tuple[str, Cell], dict[int, Measurement]] = {}
        for measurement in results.measurements:
            cell = Cell(measurement.model, measurement.load, measurement.connections)
            self._by_round.setdefault((measurement.contender, cell), {})[measurement.round] = measurement

    @property
    def models(self) -> list[str]:
        """The models in the order in which they were measured."""
        return list(dict.fromkeys(measurement.model for measurement in self.results.measurements))

    @property
    def contenders(self) -> list[str]:
        """The contenders that were measured, in the order in which they were started."""
        measured = {measurement.contender for measurement in self.results.measurements}
        return [name for name in dict.fromkeys(start.contender for start in self.results.starts) if name in measured]

    @property
    def connections(self) -> list[int]:
        """The numbers of connections that were measured, ascending."""
        return sorted({measurement.connections for measurement in self.results.measurements})

    def spread(self, contender: str, cell: Cell, metric: Metric) -> Spread | None:
        """Return one metric over the rounds."""
        return Spread.of(metric(measurement) for measurement in self._rounds(contender, cell).values())

    def ratio(self, contender: str, other: str, cell: Cell, metric: Metric) -> Spread | None:
        """Return the ratio of two contenders, from the rounds that have both."""
        ours, theirs = self._rounds(contender, cell), self._rounds(other, cell)
        return Spread.of(metric(ours[each]) / metric(theirs[each]) for each in ours.keys() & theirs.keys())

    def ratio_to_bare(self, contender: str, cell: Cell) -> tuple[Spread | None, Spread | None]:
        """Return the ratio of batches of 32 to those of bare onnxruntime: by rate, and by CPU time."""
        bare = {run.round: run for run in self.results.bare if run.model == cell.model}
        ours = self._rounds(contender, cell)
        rounds = ours.keys() & bare.keys()
        return (
            Spread.of(ours[each].rate / bare[each].rate for each in rounds),
            Spread.of(bare[each].cpu_us / ours[each].cpu_us for each in rounds),
        )

    def first_answer(self, contender: str, model: str) -> tuple[Spread | None, Spread | None]:
        """Return the seconds from a contender's start to its first answer, and the seconds of CPU time."""
        starts = [start for start in self.results.starts if (start.contender, start.model) == (contender, model)]
        return Spread.of(start.seconds for start in starts), Spread.of(start.cpu_seconds for start in starts)

    def _rounds(self, contender: str, cell: Cell) -> dict[int, Measurement]:
        return self._by_round.get((contender, cell), {})
