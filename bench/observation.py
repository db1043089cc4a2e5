"""
The cost of the metrics and of the log, in microseconds of processor time of one small request: a Markdown table.

    .venv/bin/python -m bench.observation

Each row is the best of some rounds of many calls. "Log" writes to /dev/null, and includes the thread that writes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson

from app.log_writer import LogWriter
from app.logs import LINE_OPTIONS
from app.server.counters import Counters
from app.server.gate import Exchange, Gate
from app.server.lifecycle import Lifecycle
from app.server.metrics import Metrics
from app.server.request_log import RequestLog

CALLS = 20_000
ROUNDS = 7
PARTS = (1e-4, 3e-5, 4e-5, 1e-4, 5e-4)
ROUTE, MODEL = "/v1/models/{model}/encode", "mnist-vae"
SCOPE: dict[str, Any] = {
    "headers": [(b"host", b"localhost"), (b"content-length", b"5404"), (b"content-type", b"application/json")],
    "method": "POST",
    "path": "/v1/models/mnist-vae/encode",
}


def microseconds(call: Callable[[], object], settle: Callable[[], object] = lambda: None) -> float:
    """Return the processor time of a call, all threads together."""
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(CALLS):
            call()
        settle()
        best = min(best, time.process_time() - begin)
    return best / CALLS * 1e6


def measure(metrics: Metrics) -> dict[str, float]:
    """Return the microseconds of each part."""
    exchange = Exchange(SCOPE, _send, Gate(_application, lambda *_: None, Lifecycle(), metrics))
    exchange.route, exchange.task, exchange.rows = ROUTE, "encode", 1
    exchange.model = SimpleNamespace(name=MODEL, version=1)
    exchange.begin(200)
    descriptor = os.open(os.devnull, os.O_WRONLY)
    writer = LogWriter(descriptor, lambda _: b"", max_lines=ROUNDS * CALLS)
    log = RequestLog(lambda fields: writer.write(orjson.dumps(fields, option=LINE_OPTIONS)))
    costs = {
        "metrics: the request": microseconds(
            lambda: metrics.count_request(ROUTE, MODEL, 200, PARTS, answered_task=True)
        ),
        "metrics: the run": microseconds(lambda: metrics.count_run(MODEL, 1)),
        "log": microseconds(lambda: log.add(SCOPE, exchange), lambda: writer.flush(60)),
    }
    os.close(descriptor)
    return costs


def main() -> int:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(Metrics(Counters(Path(folder))))
    sys.stdout.write("| part | µs |\n|---|--:|\n")
    for part, cost in (costs | {"together": sum(costs.values())}).items():
        sys.stdout.write(f"| {part} | {cost:.1f} |\n")
    return 0


async def _application(*_: object) -> None:
    pass


async def _send(message: Any) -> None:
    raise AssertionError(f"nothing is sent here, but got {message!r:.100}")


if __name__ == "__main__":
    sys.exit(main())
