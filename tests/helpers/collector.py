"""A collector of OpenTelemetry's traces: an HTTP server in a thread, which decodes what it receives."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

Value = str | int | float | bool
OK, ERROR, UNSET = 1, 2, 0
"""Codes of a span's status. Source: opentelemetry/proto/trace/v1/trace.proto"""


@dataclass(frozen=True)
class Span:
    """A span as it arrived; ids in hexadecimal, times in seconds since 1970."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    trace_state: str
    start: float
    end: float
    status: int
    attributes: dict[str, Value]
    resource: dict[str, Value]
    headers: dict[str, str]
    """The headers of the request that brought it, in lower case."""

    @property
    def is_of_server(self) -> bool:
        """True for the span of a request, False for those of its parts."""
        return self.kind == WireSpan.SPAN_KIND_SERVER


class Collector:
    """The spans that arrived at an address."""

    def __init__(self) -> None:
        self.address = ""
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT."""
        self.paths: list[str] = []
        self._spans: list[Span] = []
        self._changed = threading.Condition()

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> None:
        """Take the body of an export."""
        request = ExportTraceServiceRequest.FromString(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        with self._changed:
            self.paths.append(path)
            for spans in request.resource_spans:
                resource = _values(spans.resource.attributes)
                self._spans += [_span(span, resource, headers) for scope in spans.scope_spans for span in scope.spans]
            self._changed.notify_all()

    def requests(self, count: int) -> list[Span]:
        """Return the spans of requests, in the order of their begin, once there are at least this many."""
        with self._changed:
            found = self._changed.wait_for(lambda: len(self._of_server()) >= count, timeout=30)
            assert found, f"expected {count} requests, got {self._spans}"
            return self._of_server()

    def children(self, parent: Span) -> list[Span]:
        """Return the spans below another, in the order in which they ended."""
        return [span for span in self._spans if span.parent_id == parent.span_id]

    def _of_server(self) -> list[Span]:
        return sorted((span for span in self._spans if span.is_of_server), key=lambda span: span.start)


@contextmanager
def collecting() -> Iterator[Collector]:
    """Start a collector."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.receive(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _values(attributes: Iterator[KeyValue]) -> dict[str, Value]:
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(value: AnyValue) -> Value:
    kind = value.WhichOneof("value")
    assert kind in ("string_value", "int_value", "double_value", "bool_value")
    single: Value = getattr(value, kind)
    return single


def _span(span: WireSpan, resource: dict[str, Value], headers: dict[str, str]) -> Span:
    return Span(
        name=span.name,
        kind=span.kind,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        trace_state=span.trace_state,
        start=span.start_time_unix_nano / 1e9,
        end=span.end_time_unix_nano / 1e9,
        status=span.status.code,
        attributes=_values(span.attributes),
        resource=resource,
        headers=headers,
    )
