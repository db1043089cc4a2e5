"""The spans of requests: one of the server for each, and below it one for each part of the work."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from time import time_ns
from typing import TYPE_CHECKING

from opentelemetry.propagate import extract
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context
from starlette.types import Scope

from app.server.request_log import PROBES
from app.server.traces.attributes import answer_attributes, error_type, request_attributes, span_name
from app.times import RequestTimes, now

if TYPE_CHECKING:
    from app.server.gate import Exchange
    from app.server.traces.export import SpanExport

TRACE_RESPONSE = b"traceresponse"
"""The header with which an answer names its span. Source: W3C, "Trace Context", editor's draft, traceresponse."""

Headers = list[tuple[bytes, bytes]]
Carrier = tuple[Mapping[bytes, bytes], Headers]
"""The headers of a request by name, of which the last counts, and all of them."""


class Traces:
    """The spans of all requests, except of probes."""

    def __init__(self, export: SpanExport, root_path: str = "") -> None:
        self._export = export
        self._quiet_paths = PROBES | {root_path + path for path in PROBES}

    @property
    def dropped(self) -> int:
        """The spans that did not reach the collector."""
        return self._export.dropped

    def begin(self, scope: Scope, exchange: Exchange) -> RequestSpan | None:
        """Begin the span of a request, below that of its client; return None for a probe."""
        if scope["path"] in self._quiet_paths:
            return None
        return RequestSpan(self._export.tracer, scope, exchange)

    def close(self) -> None:
        """Export the last spans, within seconds."""
        self._export.close()


class RequestSpan:
    """The span of one request. If its trace is not sampled it has an id, and nothing is recorded."""

    def __init__(self, tracer: Tracer, scope: Scope, exchange: Exchange) -> None:
        self._tracer = tracer
        self._method: str = scope["method"]
        self._start_ns, self._start = time_ns(), exchange.times.start
        self._span: Span = tracer.start_span(
            span_name(self._method, None),
            extract((exchange.headers, scope["headers"]), getter=TRACE_HEADERS),
            SpanKind.SERVER,
            request_attributes(scope, exchange.headers),
            start_time=self._start_ns,
        )
        context = self._span.get_span_context()
        self.trace_id = f"{context.trace_id:032x}"
        value = b"00-%032x-%016x-%02x" % (context.trace_id, context.span_id, context.trace_flags)
        self.response_header = (TRACE_RESPONSE, value)

    def end(self, exchange: Exchange) -> None:
        """End the span with what became of the request, and of the exception on its way to the server, if any."""
        span, end = self._span, now()
        if not span.is_recording() or exchange.route in PROBES:
            return
        span.update_name(span_name(self._method, exchange.route))
        span.set_attributes(answer_attributes(exchange))
        if error := error_type(exchange, sys.exception()):
            span.set_attribute("error.type", error)
            span.set_status(StatusCode.ERROR)
        context = set_span_in_context(span)
        for name, part_start, part_end in parts(exchange.times, end):
            self._tracer.start_span(name, context, start_time=self._ns(part_start)).end(self._ns(part_end))
        span.end(self._ns(end))

    def _ns(self, time: float) -> int:
        """Return a time of the request's clock in nanoseconds since 1970."""
        return self._start_ns + int((time - self._start) * 1e9)


class TraceHeaders(Getter[Carrier]):
    """The headers of a request, for OpenTelemetry."""

    def get(self, carrier: Carrier, key: str) -> list[str] | None:
        """Return the values of a header. Of two parents none is right, so the request gets none."""
        by_name, headers = carrier
        name = key.encode()
        if name not in by_name:
            return None
        values = [value.decode("latin-1") for header, value in headers if header == name]
        return None if name == b"traceparent" and len(values) > 1 else values

    def keys(self, carrier: Carrier) -> list[str]:
        """Return the names of all headers."""
        return [name.decode("latin-1") for name in carrier[0]]


TRACE_HEADERS = TraceHeaders()


def parts(times: RequestTimes, end: float) -> Iterator[tuple[str, float, float]]:
    """
    Yield the name, the start and the end of each part of a request; `end` is the end of the request.

    The clock has sums for the queue and the runs. They are drawn one after the other, as they are for one run; several
    at once overlap, and end with the task. A request without an answer has only the parts that took time.
    """
    answered, task_end = times.encoded > 0, times.computed or end
    run_end = min(times.decoded + times.queue + times.compute, task_end)
    spans = (
        ("decode", times.received, times.decoded),
        ("queue", times.decoded, min(times.decoded + times.queue, task_end)),
        ("compute", max(times.decoded, run_end - times.compute), run_end),
        ("encode", times.computed, times.encoded),
    )
    for name, part_start, part_end in spans:
        if answered or 0 < part_start < part_end:
            yield name, part_start, part_end
