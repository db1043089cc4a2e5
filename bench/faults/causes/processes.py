"""Processes that die, are stopped, start slowly, or find their port taken."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from bench.faults.row import Row
from bench.faults.server import Bench, Server, is_alive, wait_until
from bench.faults.traffic import Load, get, mixture, run_load

CONNECTIONS = 16
SILENT_SECONDS = 40
"""Longer than the supervisor needs to notice a stopped worker."""


def workers(bench: Bench) -> Iterator[Row]:
    """Kill or stop one of two workers under load."""
    for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP):
        with bench.serve(workers=2) as server:
            before = server.workers()
            load = Load(server.address, CONNECTIONS, rate=100)
            time.sleep(1)
            begin = time.monotonic()
            os.kill(before[0], number)
            is_replaced = wait_until(partial(has_replaced, server, before[0]), SILENT_SECONDS)
            seconds = time.monotonic() - begin
            time.sleep(1)
            outcomes = load.stop()
            yield Row(
                f"{number.name} to one of 2 workers, 100 requests a second from {CONNECTIONS} connections",
                f"replaced; at most what it held is lost: one request for each of its connections, ≤ {CONNECTIONS}",
                f"{'replaced' if is_replaced else 'NOT replaced'} after {seconds:.1f} s; {outcomes.text()}",
                is_replaced and outcomes.lost <= CONNECTIONS and not outcomes.unexpected,
            )


def has_replaced(server: Server, pid: int) -> bool:
    """Return True once a third worker serves in place of one of the first two."""
    return pid not in server.workers() and server.log().count("startup complete") == 3


def parent(bench: Bench) -> Iterator[Row]:
    """Kill the supervisor under load."""
    with bench.serve(workers=2) as server:
        pids = server.workers()
        load = Load(server.address, CONNECTIONS)
        time.sleep(1)
        server.process.kill()
        server.process.wait(10)
        have_ended = wait_until(lambda: not any(map(is_alive, pids)), 20)
        outcomes = load.stop()
        for pid in filter(is_alive, pids):
            os.kill(pid, signal.SIGKILL)
    yield Row(
        "SIGKILL to the supervisor of 2 workers under full load",
        "both workers finish what they accepted, and end; 0 lost",
        f"{'both ended' if have_ended else 'workers are left'}; {outcomes.text()}",
        have_ended and outcomes.are_right,
    )


def start(bench: Bench) -> Iterator[Row]:
    """Start too many workers, on a taken port, and with the variables of Kubernetes."""
    count = 4 * (os.cpu_count() or 1)
    with bench.serve(workers=count, wait=False) as server:
        is_ready = server.wait_until_ready(120)
        killed = server.log().count("is killed") + server.log().count("before it served")
        yield Row(
            f"{count} workers on {os.cpu_count()} cores",
            "all come up, none is killed",
            f"{len(server.workers())} serve, {killed} killed",
            is_ready and not killed and len(server.workers()) == count,
        )
    with bench.serve() as server, bench.serve(port=server.port, wait=False) as second:
        code = second.wait(30)
        log = second.log().strip()
        is_served = server.status("/livez") == 200
    yield Row(
        "a port that is taken",
        "one sentence, exit code 1, before models are loaded",
        f"exit code {code}: {log[-160:]}",
        code == 1 and is_served and "cannot listen" in log and "version loaded" not in log and log.count("\n") == 0,
    )


def metrics(bench: Bench) -> Iterator[Row]:
    """Count requests at the clients and at the server."""
    for workers in (2, 4):
        with bench.serve(workers=workers) as server:
            questions = [question for question in mixture() if b" /readyz " not in question.content]
            outcomes = run_load(server.address, bench.seconds(8), questions=questions)
            totals = {total_requests(server.get_text("/metrics")) for _ in range(20)}
        yield Row(
            f"{workers} workers under full load, then /metrics 20 times",
            "what the clients counted, whichever worker answers",
            f"clients {outcomes.answers}, metrics {sorted(totals)}",
            totals == {outcomes.answers} and outcomes.are_right,
        )


def total_requests(page: str) -> int:
    """Return the requests of all routes except /metrics, and /readyz by which the bench waited."""
    lines = [line for line in page.splitlines() if line.startswith("hourglass_requests_total{")]
    routes = ('route="/metrics"', 'route="/readyz"')
    return round(sum(float(line.split()[-1]) for line in lines if not any(route in line for route in routes)))


def kubernetes(bench: Bench) -> Iterator[Row]:
    """Start with the variables that Kubernetes injects for a service of the same name."""
    variables: dict[str, Any] = {
        "service_host": "10.0.0.1",
        "service_port": "8000",
        "port_8000_tcp": "tcp://10.0.0.1:8000",
        "port_8000_tcp_addr": "10.0.0.1",
        "service_port_http": "8000",
    }
    with bench.serve(**variables) as server:
        outcomes = run_load(server.address, 1, questions=[get("/livez")])
    yield Row(
        "the variables that Kubernetes injects for a service named hourglass",
        "passed over, not reported as unknown",
        f"{outcomes.text()}; {len(server.events('unknown setting ignored'))} warnings",
        outcomes.are_right and not server.events("unknown setting ignored"),
    )
