"""Medians, spreads and ratios of the rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from bench.serving.contender import Load
from bench.serving.results import Measurement, Results

Number = Callable[[Measurement], float]


def rate(measurement: Measurement) -> float:
    """Answers a second; more is better."""
    return measurement.rate


def speed(measurement: Measurement) -> float:
    """Answers for a second of CPU time; more is better."""
    return 1e6 / measurement.cpu_us


def cpu(measurement: Measurement) -> float:
    """Microseconds of CPU time for an answer; less is better."""
    return measurement.cpu_us


def p50(measurement: Measurement) -> float:
    """Microseconds; less is better."""
    return measurement.p50_us


def p99(measurement: Measurement) -> float:
    """Microseconds; less is better."""
    return measurement.p99_us


@dataclass(frozen=True)
class Spread:
    """Of some numbers."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Spread | None:
        """None where there are none."""
        found = sorted(numbers)
        return cls(median(found), found[0], found[-1]) if found else None


@dataclass(frozen=True)
class Cell:
    """A model, a load, a number of connections."""

    model: str
    load: Load
    connections: int


class Summary:
    """What the rounds come to."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._found: dict[tuple[str, Cell], dict[int, Measurement]] = {}
        for one in results.measurements:
            key = one.contender, Cell(one.model, one.load, one.connections)
            self._found.setdefault(key, {})[one.round] = one

    @property
    def models(self) -> list[str]:
        """In the order in which they were measured."""
        return list(dict.fromkeys(one.model for one in self.results.measurements))

    @property
    def contenders(self) -> list[str]:
        """In the order in which they were examined."""
        measured = {one.contender for one in self.results.measurements}
        return [name for name in dict.fromkeys(one.contender for one in self.results.starts) if name in measured]

    @property
    def connections(self) -> list[int]:
        """That were measured."""
        return sorted({one.connections for one in self.results.measurements})

    def of(self, contender: str, cell: Cell, number: Number) -> Spread | None:
        """One number over the rounds."""
        return Spread.of(number(one) for one in self._found.get((contender, cell), {}).values())

    def ratio(self, contender: str, other: str, cell: Cell, number: Number) -> Spread | None:
        """Of two contenders, in each round that has both."""
        ours, theirs = self._found.get((contender, cell), {}), self._found.get((other, cell), {})
        return Spread.of(number(ours[each]) / number(theirs[each]) for each in ours.keys() & theirs.keys())

    def ratio_to_bare(self, contender: str, cell: Cell) -> tuple[Spread | None, Spread | None]:
        """Batches of 32 beside onnxruntime alone, in each round: by rate, and by CPU time."""
        bare = {run.round: run for run in self.results.bare if run.model == cell.model}
        ours = self._found.get((contender, cell), {})
        rounds = ours.keys() & bare.keys()
        return (
            Spread.of(ours[each].rate / bare[each].rate for each in rounds),
            Spread.of(bare[each].cpu_us / ours[each].cpu_us for each in rounds),
        )

    def first_answer(self, contender: str, model: str) -> tuple[Spread | None, Spread | None]:
        """Seconds from its start, and seconds of CPU time."""
        starts = [one for one in self.results.starts if (one.contender, one.model) == (contender, model)]
        return Spread.of(one.seconds for one in starts), Spread.of(one.cpu_seconds for one in starts)
