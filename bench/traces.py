"""
The cost of traces, in microseconds of processor time of one small request: a Markdown table.

    .venv/bin/python -m bench.traces

Each row is the best of some rounds of many requests, all threads together. The spans of a sampled request are encoded
for the collector, but not sent.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from app.server.gate import Exchange, Gate
from app.server.lifecycle import Lifecycle
from app.server.traces.export import SpanExport
from app.server.traces.spans import Traces
from app.times import now

CALLS, ROUNDS = 1000, 9
PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0%d"
CASES = {"not sampled": [(b"traceparent", PARENT % 0)], "sampled": [(b"traceparent", PARENT % 1)], "no parent": []}


class EncodingExporter(SpanExporter):
    """An exporter that writes the bytes for a collector, and drops them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Encode a batch."""
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


def exchange_of(scope: dict[str, Any], gate: Gate) -> Exchange:
    """Return the exchange of an answered request."""
    exchange = Exchange(scope, _send, gate)
    exchange.route, exchange.task, exchange.rows, exchange.status = "/v1/models/{model}/encode", "encode", 1, 200
    exchange.model = SimpleNamespace(name="mnist-vae", version=1)
    times = exchange.times
    times.received = times.decoded = times.computed = times.encoded = now()
    return exchange


def microseconds(headers: list[tuple[bytes, bytes]], traced: bool) -> float:
    """Return the processor time of a request's exchange, with or without its spans."""
    scope: dict[str, Any] = {
        "headers": [
            (b"host", b"localhost:8000"),
            (b"user-agent", b"curl/8.14"),
            (b"content-length", b"5404"),
            *headers,
        ],
        "method": "POST",
        "path": "/v1/models/mnist-vae/encode",
        "scheme": "http",
        "http_version": "1.1",
    }
    gate, best = Gate(_application, lambda *_: None, Lifecycle()), float("inf")
    for _ in range(ROUNDS):
        traces = Traces(SpanExport("1", EncodingExporter()))
        begin = time.process_time()
        for _ in range(CALLS):
            exchange = exchange_of(scope, gate)
            if traced and (span := traces.begin(scope, exchange)):
                span.end(exchange)
        traces.close()
        best = min(best, time.process_time() - begin)
        if traces.dropped:
            raise RuntimeError(f"{traces.dropped} spans were dropped: the measurement is too low")
    return best / CALLS * 1e6


def main() -> int:
    """Print the table."""
    sys.stdout.write("| trace | µs |\n|---|--:|\n")
    for name, headers in CASES.items():
        cost = microseconds(headers, traced=True) - microseconds(headers, traced=False)
        sys.stdout.write(f"| {name} | {cost:.0f} |\n")
    return 0


async def _application(*_: Any) -> None:
    raise AssertionError("no request reaches an application here")


async def _send(message: Any) -> None:
    raise AssertionError(f"nothing is sent here, but got {message!r:.100}")


if __name__ == "__main__":
    sys.exit(main())
