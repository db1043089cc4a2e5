"""A machine that fails: logs that cannot be written, and a root that is read-only."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from bench.faults.row import Row
from bench.faults.server import Bench
from bench.faults.traffic import get, run_load

READ_ONLY = (
    "unshare",
    "-m",
    "sh",
    "-c",
    'mount --bind / / && mount -o remount,bind,ro / && HOME=/nonexistent exec "$0" "$@"',
)


def log(bench: Bench) -> Iterator[Row]:
    """Let the log's disk be full, its reader be dead, and its reader be stuck."""
    with Path("/dev/full").open("wb") as full, bench.serve(log_to=full) as server:
        outcomes = run_load(server.address, bench.seconds(4))
        yield Row("the log's disk is full", "served", outcomes.text(), outcomes.are_right)
    reader, writer = os.pipe()
    with bench.serve(log_to=writer) as server:
        os.close(writer)
        os.close(reader)
        outcomes = run_load(server.address, bench.seconds(4))
        yield Row("the log's reader is dead", "served", outcomes.text(), outcomes.are_right)
    reader, writer = os.pipe()
    with bench.serve(log_to=writer) as server:
        os.close(writer)
        outcomes = run_load(server.address, bench.seconds(40), questions=[get("/v1/models/none", 404)])
        dropped = metric(server.get_text("/metrics"), "hourglass_log_lines_dropped_total")
        threading.Thread(target=drain, args=(reader,), daemon=True).start()
        later = run_load(server.address, 1, questions=[get("/livez")])
        server.process.terminate()
        code = server.wait(30)
    yield Row(
        "the log's reader is stuck, then reads again",
        "served, exit code 0",
        f"{outcomes.text()}; {dropped} lines dropped; later {later.text()}; exit code {code}",
        outcomes.are_right and later.are_right and code == 0,
    )


def drain(descriptor: int) -> None:
    """Read a pipe to its end."""
    while os.read(descriptor, 65536):
        pass
    os.close(descriptor)


def metric(page: str, name: str) -> str:
    """Return the value of a metric without labels."""
    return next((line.split()[-1] for line in page.splitlines() if line.startswith(f"{name} ")), "no")


def read_only(bench: Bench) -> Iterator[Row]:
    """Serve from a root file system that is read-only, without a home folder."""
    with bench.serve(wrap=READ_ONLY) as server:
        outcomes = run_load(server.address, 2)
        server.process.terminate()
        code = server.wait(30)
    yield Row(
        "a read-only root and no home folder",
        "served, exit code 0",
        f"{outcomes.text()}; exit code {code}",
        outcomes.are_right and code == 0,
    )
