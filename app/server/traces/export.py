"""
The way of spans to a collector: a bounded queue, and a thread of OpenTelemetry's that empties it.

A collector that is down or stuck costs spans, and nothing else: they are dropped and counted, the log has a line a
minute about it, and the server ends without waiting for more than a second.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from threading import Thread
from time import monotonic

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_BSP_MAX_QUEUE_SIZE
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

log = structlog.get_logger(__name__)

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
"""The semantic conventions that the attributes follow."""
DEFAULT_QUEUED_SPANS = 2048
CLOSE_SECONDS = 1.0
"""Time for the last spans when the server ends."""
QUIET_SECONDS = 60.0
MAX_MESSAGE_CHARACTERS = 500
HEADER_LOGGERS = ("opentelemetry.trace", "opentelemetry.baggage")
"""Loggers that complain about the headers of requests, of which clients could send any number."""


class SpanExport:
    """A source of spans, and their way to the collector that OpenTelemetry's variables name."""

    def __init__(self, service_version: str, exporter: SpanExporter | None = None) -> None:
        self._exporter = CountingExporter(exporter or OTLPSpanExporter())
        self._queue = SpanQueue(self._exporter, _max_queued_spans())
        self._provider = TracerProvider(resource=_resource(service_version), shutdown_on_exit=False)
        self._provider.add_span_processor(self._queue)
        self.tracer = self._provider.get_tracer("hourglass", service_version, SCHEMA)
        self._foreign_log = ForeignLog()
        self._foreign_log.install()

    @property
    def dropped(self) -> int:
        """The spans that did not reach the collector."""
        return self._queue.dropped + self._exporter.failed

    def close(self) -> None:
        """Export what is queued, within CLOSE_SECONDS: the thread that exports may be stuck."""
        closing = Thread(target=self._provider.shutdown, name="close traces", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
        if closing.is_alive():
            log.warning("spans lost: the collector did not take them in time", spans=self._queue.unfinished)
        self._foreign_log.remove()


class CountingExporter(SpanExporter):
    """An exporter that counts spans. Only one thread at a time calls it."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.begun = 0
        """Spans whose export has begun."""
        self.exported = 0
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch."""
        self.begun += len(spans)
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is SpanExportResult.SUCCESS:
                self.exported += len(spans)
            else:
                self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()


class SpanQueue(BatchSpanProcessor):
    """OpenTelemetry's queue of ended spans. Unlike it, it counts those that it drops, and does not log each of them."""

    def __init__(self, exporter: CountingExporter, max_spans: int) -> None:
        self.dropped = 0
        self._accepted = 0
        self._exporter = exporter
        self._max_spans = max_spans
        self._notices = Notices()
        super().__init__(exporter, max_queue_size=max_spans)

    @property
    def unfinished(self) -> int:
        """The spans that are queued or on their way."""
        return self._accepted - self._exporter.exported - self._exporter.failed

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span, or drop it if too many are queued. Only the event loop calls this."""
        if self._accepted - self._exporter.begun < self._max_spans:
            self._accepted += 1
            super().on_end(span)
        else:
            self.dropped += 1
            self._notices.warn("spans dropped: the collector is too slow", spans=self.dropped)


class Notices:
    """Warnings of one kind, one a minute at most."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._next = 0.0
        self._left_out = 0

    def warn(self, event: str, **fields: object) -> None:
        """Write a warning, unless the last one is less than a minute old; count those that are left out."""
        time = self._clock()
        if time < self._next:
            self._left_out += 1
            return
        log.warning(event, **fields, left_out=self._left_out)
        self._next, self._left_out = time + QUIET_SECONDS, 0


class ForeignLog(logging.Handler):
    """The log lines of OpenTelemetry's packages, one a minute at most: a collector that is down causes many."""

    LOGGER = logging.getLogger("opentelemetry")
    HTTP_LOGGER = logging.getLogger("urllib3")

    def __init__(self, notices: Notices | None = None) -> None:
        super().__init__(logging.WARNING)
        self._notices = notices or Notices()

    def install(self) -> None:
        """Take these lines over from the process's log."""
        self.LOGGER.addHandler(self)
        self.LOGGER.propagate = False
        self.HTTP_LOGGER.setLevel(logging.WARNING)

    def remove(self) -> None:
        """Give them back."""
        self.LOGGER.removeHandler(self)
        self.LOGGER.propagate = True

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, without the traceback that it may have."""
        if record.name.startswith(HEADER_LOGGERS):
            return
        message = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            message += f" {record.exc_info[1]!r}"
        self._notices.warn("OpenTelemetry reports a problem", reason=message[:MAX_MESSAGE_CHARACTERS])


def _max_queued_spans() -> int:
    return int(os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE) or DEFAULT_QUEUED_SPANS)


def _resource(service_version: str) -> Resource:
    """Return the resource of OpenTelemetry's variables; what they do not name gets our name and version."""
    resource = Resource.create()
    defaults = {} if SERVICE_VERSION in resource.attributes else {SERVICE_VERSION: service_version}
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        defaults[SERVICE_NAME] = "hourglass"
    return resource.merge(Resource(defaults))
