"""
The metrics of the server, as Prometheus reads them at /metrics.

Requests, runs and refusals are counted where they happen, in the numbers that all workers share. Values that exist
anyway, such as the rows in the queue, are registered as functions and read once a second and at a scrape. Labels are
bounded: route templates, names of served models, statuses, error codes.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from threading import Lock
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from app.errors import ServiceError
from app.server.counters import Counters

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ROWS = tuple(2**power for power in range(13))
"""Bounds of the histograms' buckets; ROWS ends at the default of HOURGLASS_MAX_ROWS, 4096."""

PUBLISH_SECONDS = 1.0
"""Age that the registered values of another worker may have."""

UNKNOWN = "unknown"
"""The route of requests that no template matches, and the model of tasks of none that is served."""

Value = Callable[[], float]
Parts = tuple[float, float, float, float, float]
"""Seconds of a request's parts: decode, queue, compute, encode and total."""
NO_PARTS: Parts = (0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Family:
    """A metric and its labels."""

    name: str
    documentation: str
    kind: Literal["counter", "gauge", "histogram"] = "counter"
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """The upper bounds of a histogram's buckets, except infinity."""

    def collect(self, numbers: Iterable[tuple[tuple[str, ...], list[float]]]) -> Metric:
        """Return the family with the numbers of each combination of labels."""
        if self.kind == "histogram":
            histogram = HistogramMetricFamily(self.name, self.documentation, labels=self.labels)
            bounds = [*map(floatToGoString, self.bounds), "+Inf"]
            for labels, (total, *counts) in numbers:
                histogram.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
            return histogram
        family: CounterMetricFamily | GaugeMetricFamily = (
            CounterMetricFamily(self.name, self.documentation, labels=self.labels)
            if self.kind == "counter"
            else GaugeMetricFamily(self.name, self.documentation, labels=self.labels)
        )
        for labels, (number,) in numbers:
            family.add_metric(labels, number)
        return family


REQUESTS = Family("hourglass_requests", "Requests, by route, model and status.", labels=("route", "model", "code"))
REFUSALS = Family("hourglass_refusals", "Problem documents sent, by the error's code.", labels=("reason",))
LOADS = Family("hourglass_model_loads", "Versions that a process loaded or refused.", labels=("outcome",))
REQUEST_SECONDS = Family(
    "hourglass_request_seconds", "Time from a request's head to its answer.", "histogram", ("route", "model"), SECONDS
)
PARTS = tuple(
    Family(f"hourglass_{part}_seconds", documentation, "histogram", ("model",), SECONDS)
    for part, documentation in (
        ("decode", "Time in which the bodies of answered requests became arrays."),
        ("queue", "Time that the rows of answered requests waited for runs."),
        ("compute", "Time that the runs of answered requests took."),
        ("encode", "Time in which results became the bytes of answers."),
    )
)
RUN_ROWS = Family("hourglass_run_rows", "Rows that shared a run of a model.", "histogram", ("model",), ROWS)
EXPECTED_REASONS = ("overloaded", "expired", "internal-error")
"""Codes of refusals that alerts are about: they are shown from the start."""
FAMILIES = (REQUESTS, REFUSALS, LOADS, REQUEST_SECONDS, *PARTS, RUN_ROWS)


def server_timing(parts: Parts) -> bytes:
    """
    Return the value of the header Server-Timing, in milliseconds.

    Source: W3C, "Server Timing", section 2.1.
    """
    decode, queue, compute, encode, total = parts
    return b"decode;dur=%.3f, queue;dur=%.3f, compute;dur=%.3f, encode;dur=%.3f, total;dur=%.3f" % (
        decode * 1e3,
        queue * 1e3,
        compute * 1e3,
        encode * 1e3,
        total * 1e3,
    )


class Metrics:
    """The metrics of one process, and their sums over all workers."""

    def __init__(self, counters: Counters | None = None) -> None:
        self.counters = counters or Counters()
        """The numbers that all workers share, for other parts of the server, too."""
        self._numbers = self.counters.numbers
        self._lock = Lock()
        self._requests: dict[tuple[str, str, int], tuple[int, int, tuple[int, ...]]] = {}
        """Offsets of the count, of the histogram of the total, and of those of the parts."""
        self._runs: dict[str, int] = {}
        """Offsets of the histogram of rows, by model."""
        self._values: list[tuple[Family, int, float, Value]] = []
        """Registered values, with their offset and the count of an ended process whose file this one continues."""
        self._models: Callable[[], Iterable[tuple[str, str, str]]] = tuple
        self._timer: asyncio.TimerHandle | None = None
        self.collectors: list[Callable[[], Iterable[Metric]]] = []
        """Functions that return further families at a scrape."""
        for reason in EXPECTED_REASONS:  # a rate needs the 0 before the first
            self.counters.block(REFUSALS.name, (reason,))
        for outcome in ("loaded", "refused"):
            self.counters.block(LOADS.name, (outcome,))
        self.add_gauge("hourglass_workers", "Processes that serve.", lambda: 1)

    def count_request(self, route: str, model: str, status: int, parts: Parts, *, answered_task: bool) -> None:
        """Count a request, and the parts of an answered task. Only the event loop calls this."""
        series = self._requests.get((route, model, status))
        if series is None:
            series = self._add_request(route, model, status, answered_task)
        numbers, (requests, total, histograms) = self._numbers, series
        numbers[requests] += 1
        seconds = parts[4]
        numbers[total] += seconds
        numbers[total + 1 + bisect_left(SECONDS, seconds)] += 1
        for offset, seconds in zip(histograms, parts, strict=False):  # the total is the fifth of the parts
            numbers[offset] += seconds
            numbers[offset + 1 + bisect_left(SECONDS, seconds)] += 1

    def count_refusal(self, code: str) -> None:
        """Count a problem document. Only the event loop calls this."""
        self._numbers[self.counters.block(REFUSALS.name, (code,))] += 1

    def count_refused(self, error: ServiceError) -> None:
        """Count a request that was refused before its route was known. Only the event loop calls this."""
        self.count_request(UNKNOWN, "", error.status, NO_PARTS, answered_task=False)
        self.count_refusal(error.code)

    def count_load(self, outcome: Literal["loaded", "refused"]) -> None:
        """Count a version of a model that was loaded, or found invalid."""
        with self._lock:
            self._numbers[self.counters.block(LOADS.name, (outcome,))] += 1

    def count_run(self, model: str, rows: int) -> None:
        """Count a run of a model. Any thread may call this."""
        offset = self._runs.get(model)
        if offset is None:
            offset = self._runs[model] = self.counters.block(RUN_ROWS.name, (model,), len(ROWS) + 2)
        with self._lock:
            self._numbers[offset] += rows
            self._numbers[offset + 1 + bisect_left(ROWS, rows)] += 1

    def add_gauge(self, name: str, documentation: str, value: Value) -> None:
        """Register a value of this process, whose sum over all workers is shown. Any thread may read it."""
        offset = self.counters.block(name, (), gauge=True)
        self._values.append((Family(name, documentation, "gauge"), offset, 0.0, value))

    def add_counter(self, name: str, documentation: str, value: Value) -> None:
        """Register a count of this process that never decreases. Any thread may read it."""
        offset = self.counters.block(name, ())
        self._values.append((Family(name, documentation), offset, self._numbers[offset], value))

    def describe_models(self, models: Callable[[], Iterable[tuple[str, str, str]]]) -> None:
        """Register the name, version and family of each served version."""
        self._models = models

    def start(self) -> None:
        """Publish the registered values from now on, on the event loop, if other workers show them."""
        self._publish()
        if self.counters.shared:
            self._timer = asyncio.get_running_loop().call_later(PUBLISH_SECONDS, self.start)

    def stop(self) -> None:
        """Publish the registered values for the last time."""
        if self._timer:
            self._timer.cancel()
        self._publish()

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the text for Prometheus, and its media type, one that the client accepts."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Snapshot(list(self._collect())))
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type

    def _collect(self) -> Iterator[Metric]:
        self._publish()
        sums = self.counters.sums()
        for family in (*FAMILIES, *(value[0] for value in self._values)):
            yield family.collect((labels, numbers) for (name, labels), numbers in sums.items() if name == family.name)
        info = GaugeMetricFamily(
            "hourglass_model_info", "1 for each served version.", labels=("name", "version", "family")
        )
        for model in self._models():
            info.add_metric(model, 1)
        yield info
        for collect in self.collectors:
            yield from collect()

    def _publish(self) -> None:
        for _, offset, before, value in self._values:
            self._numbers[offset] = before + value()

    def _add_request(
        self, route: str, model: str, status: int, answered_task: bool
    ) -> tuple[int, int, tuple[int, ...]]:
        block, length = self.counters.block, len(SECONDS) + 2
        parts = tuple([block(part.name, (model,), length) for part in PARTS]) if answered_task else ()
        requests = block(REQUESTS.name, (route, model, str(status)))
        series = requests, block(REQUEST_SECONDS.name, (route, model), length), parts
        self._requests[route, model, status] = series
        return series


class _Snapshot(Collector):
    """Metrics that were collected before."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        """Return the metrics."""
        return self._metrics
