"""Bodies and answers that take memory, many at once."""

from __future__ import annotations

import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from bench.faults.causes.endings import UNREAD
from bench.faults.row import Row
from bench.faults.server import Bench, Probes, read_answer
from bench.faults.traffic import noise, post, run_load
from bench.serving.loads import rows_as_json, rows_as_npy

HOLD_SECONDS = 5
MAX_PEAK_MIB = 512
MAX_LEFT_MIB = 64
PATH = "/v1/models/mnist-ae/reconstruct"
MEBIBYTE = 2**20


def requests() -> dict[str, tuple[int, bytes]]:
    """Return the number of connections, and what each sends."""
    bomb = gzip.compress(b" " * (63 * MEBIBYTE), 9)
    endless = post(PATH, b"a" * (16 * MEBIBYTE - 1), content_type="application/json").content
    return {
        "bodies of 16 MiB whose last byte never comes": (64, endless[:-1]),
        "gzip bodies of 62 KiB that become 63 MiB": (
            48,
            post(PATH, bomb, content_type="application/json").content.replace(
                b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1
            ),
        ),
        "requests for 38 MB each that nobody reads": (48, UNREAD),
        ".npy bodies of 4 096 rows, answered as JSON": (
            64,
            post(PATH, rows_as_npy(noise(4096)), content_type="application/x-npy").content,
        ),
        "JSON bodies of 13 MB": (
            64,
            post(PATH, rows_as_json("samples", noise(1900).round(4)), content_type="application/json").content,
        ),
    }


def together(bench: Bench) -> Iterator[Row]:
    """Hold many bodies and answers at once, then let go, and look at the memory."""
    for name, (connections, content) in requests().items():
        with bench.serve(queue_seconds=20) as server:
            run_load(server.address, 2)  # so that what every server needs is there
            before = server.resident_mib()
            server.reset_peak()
            statuses = Counter[int]()
            threads = [
                threading.Thread(target=hold, args=(server.connect, content, "nobody reads" in name, statuses))
                for _ in range(connections)
            ]
            probes = Probes(server.port)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            slowest = probes.stop()
            peak = server.resident_mib("VmHWM")
            time.sleep(HOLD_SECONDS)
            after = server.resident_mib()
            outcomes = run_load(server.address, 2)
        yield Row(
            f"{connections} connections at once: {name}",
            f"answered or refused; at most {MAX_PEAK_MIB} MiB more, {MAX_LEFT_MIB} afterwards; others are served",
            f"{dict(statuses)} (0: none); memory {before:.0f}, peak {peak:.0f}, afterwards {after:.0f} MiB; /livez at "
            f"most {slowest:.1f} s; then {outcomes.text()}",
            (not statuses[0] or "never" in name or "nobody" in name)
            and peak - before <= MAX_PEAK_MIB
            and after - before <= MAX_LEFT_MIB
            and outcomes.are_right,
        )


def hold(connect: Callable[..., object], content: bytes, is_unread: bool, statuses: Counter[int]) -> None:
    """Send a request and wait some seconds, or read its answer."""
    import socket

    try:
        connection = connect(content, 60, 4096 if is_unread else 0)
    except OSError:
        statuses[0] += 1
        return
    assert isinstance(connection, socket.socket)
    if is_unread:
        time.sleep(3 * HOLD_SECONDS)
        connection.setblocking(True)
        connection.settimeout(1)
        try:
            head = connection.recv(20)
            statuses[int(head[9:12] or 0)] += 1
        except OSError:
            statuses[0] += 1
    else:
        seconds = HOLD_SECONDS if content.endswith(b"aaaa") else 60
        statuses[read_answer(connection, seconds)[0]] += 1
    connection.close()
