"""A collector that fails costs spans, which are counted, and neither time nor lines of the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from time import monotonic

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind
from structlog.testing import capture_logs

from app.server.traces.export import CLOSE_SECONDS, ForeignLog, Notices, SpanExport
from tests.helpers.collector import Collector, collecting

OTEL = logging.getLogger("opentelemetry.exporter.otlp")


class StuckExporter(SpanExporter):
    """An exporter for a collector that takes a batch and never answers."""

    def __init__(self) -> None:
        self.called = threading.Event()
        self.released = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Wait for the test."""
        self.called.set()
        self.released.wait()
        return SpanExportResult.SUCCESS


class FailingExporter(SpanExporter):
    """An exporter for a collector that is down."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Fail, with an error if there is one."""
        if self._error:
            raise self._error
        return SpanExportResult.FAILURE


@pytest.fixture
def stuck() -> Iterator[StuckExporter]:
    """Return an exporter that is stuck until the end of the test."""
    exporter = StuckExporter()
    yield exporter
    exporter.released.set()


def record(export: SpanExport, count: int) -> None:
    """Record spans."""
    for number in range(count):
        export.tracer.start_span(f"{number}").end()


def test_spans_beyond_the_queue_are_dropped_and_counted(stuck: StuckExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    export = SpanExport("1", stuck)
    with capture_logs() as lines:
        record(export, 4)
        assert stuck.called.wait(30)  # the thread has the first batch
        record(export, 25)
    assert export.dropped == 15
    assert [(line["event"], line["spans"]) for line in lines] == [
        ("spans dropped: the collector is too slow", 1),
    ]


def test_the_end_does_not_wait_for_a_collector_that_is_stuck(
    stuck: StuckExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    export = SpanExport("1", stuck)
    record(export, 4)
    assert stuck.called.wait(30)
    record(export, 3)
    begin = monotonic()
    with capture_logs() as lines:
        export.close()
    assert monotonic() - begin < CLOSE_SECONDS + 1
    assert [(line["event"], line["spans"]) for line in lines] == [
        ("spans lost: the collector did not take them in time", 7)
    ]


@pytest.mark.parametrize("error", [None, RuntimeError("no such collector")])
def test_batches_that_fail_are_counted(error: Exception | None) -> None:
    export = SpanExport("1", FailingExporter(error))
    record(export, 7)
    with capture_logs():
        export.close()
    assert export.dropped == 7


def test_the_last_spans_arrive_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
        export = SpanExport("1")
        export.tracer.start_span("last", kind=SpanKind.SERVER).end()
        export.close()
        assert [span.name for span in collector.requests(1)] == ["last"]
    assert export.dropped == 0


def exported(collector: Collector) -> dict[str, object]:
    """Export a span, and return its resource."""
    export = SpanExport("1.2.3")
    export.tracer.start_span("x", kind=SpanKind.SERVER).end()
    export.close()
    return dict(collector.requests(1)[0].resource)


def test_the_service_has_our_name_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
        resource = exported(collector)
    assert (resource["service.name"], resource["service.version"]) == ("hourglass", "1.2.3")
    assert resource["service.instance.id"]


def test_the_variables_of_opentelemetry_count(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.address}/own/path")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20seven")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "digits")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=9,service.instance.id=pod-1,team=a%2Cb")
        resource = exported(collector)
        [span] = collector.requests(1)
    assert collector.paths == ["/own/path"]
    assert (span.headers["authorization"], span.headers["content-encoding"]) == ("Bearer seven", "gzip")
    assert {name: resource[name] for name in ("service.name", "service.version", "service.instance.id", "team")} == {
        "service.name": "digits",
        "service.version": "9",
        "service.instance.id": "pod-1",
        "team": "a,b",
    }


def test_the_sampler_of_opentelemetrys_variables_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    export = SpanExport("1", FailingExporter())
    record(export, 3)
    export.close()
    assert export.dropped == 0


def test_a_warning_is_written_once_a_minute_with_those_left_out() -> None:
    times = iter([100.0, 101.0, 159.9, 160.0, 400.0])
    notices = Notices(lambda: next(times))
    with capture_logs() as lines:
        for number in range(5):
            notices.warn("dropped", number=number)
    assert [(line["number"], line["left_out"]) for line in lines] == [(0, 0), (3, 2), (4, 0)]


def own_logger() -> logging.Logger:
    """Return a logger in place of OpenTelemetry's, which threads and handlers of other tests may use."""
    return logging.Logger("opentelemetry.exporter.otlp")


def test_lines_of_opentelemetry_are_shortened_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ForeignLog, "LOGGER", own_logger())
    foreign = ForeignLog(Notices(lambda: 1.0))
    foreign.install()
    try:
        with capture_logs() as lines:
            for _ in range(10):
                try:
                    raise ConnectionError("refused")
                except ConnectionError:
                    ForeignLog.LOGGER.exception("Exception while exporting %s.", "x" * 10_000)
    finally:
        foreign.remove()
    # a thread of an earlier test may still write of the spans that it lost
    [line] = [line for line in lines if line["event"] == "OpenTelemetry reports a problem" and "xxx" in line["reason"]]
    assert (line["log_level"], len(line["reason"])) == ("warning", 500)


@pytest.mark.parametrize("name", ["opentelemetry.trace.propagation.tracecontext", "opentelemetry.baggage.propagation"])
def test_headers_of_clients_write_no_lines(name: str) -> None:
    foreign = ForeignLog()
    foreign.install()
    try:
        with capture_logs() as lines:
            logging.getLogger(name).warning("the header is too long")
    finally:
        foreign.remove()
    assert lines == []


def test_the_reason_of_a_failure_is_in_its_line() -> None:
    foreign = ForeignLog(Notices(lambda: 1.0))
    foreign.install()
    try:
        with capture_logs() as lines:
            try:
                raise ConnectionError("refused")
            except ConnectionError:
                OTEL.exception("Exception while exporting %s.", "Span")
    finally:
        foreign.remove()
    assert lines[0]["reason"] == "Exception while exporting Span. ConnectionError('refused')"
    assert logging.getLogger("opentelemetry").propagate
