"""
A collector of traces that prints them: to see what the server exports, without installing one.

Start it with `.venv/bin/python examples/collector.py`, and the server, in another terminal, with
`HOURGLASS_TRACES=true make serve`. Both need the extra `otel`.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 4318


def milliseconds(span: Span) -> str:
    """Return how long a span took."""
    return f"{(span.end_time_unix_nano - span.start_time_unix_nano) / 1e6:8.2f}"


def lines(request: ExportTraceServiceRequest) -> list[str]:
    """Return a line for each span of a request to the server, and below it one for each of its parts."""
    spans = [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]
    result = []
    for request_span in filter(lambda span: span.kind == span.SPAN_KIND_SERVER, spans):
        result.append(f"{milliseconds(request_span)} ms  {request_span.name}  trace {request_span.trace_id.hex()}")
        parts = [span for span in spans if span.parent_span_id == request_span.span_id]
        result += [f"{milliseconds(part)} ms      {part.name}" for part in parts]
    return result


class Collector(BaseHTTPRequestHandler):
    """The receiving end of OTLP over HTTP, for traces."""

    def do_POST(self) -> None:
        """Print the spans of an export."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print("\n".join(lines(ExportTraceServiceRequest.FromString(body))), flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write no line for each export."""


with ThreadingHTTPServer(("127.0.0.1", PORT), Collector) as server:
    print(f"collecting traces on http://127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("stopped")
