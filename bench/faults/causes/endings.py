"""The end of a server: signals under load, at its start, and with clients that never finish."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator

from bench.faults.row import Row
from bench.faults.server import Bench, Server, command_line, is_alive, read_answer, wait_until
from bench.faults.traffic import Load, Outcomes, get, noise, post
from bench.serving.loads import rows_as_npy
from bench.serving.processes import PROC

LOAD_SECONDS = 0.7
UNFINISHED = {
    "a body": b"POST /v1/models/mnist-ae/encode HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{",
    "a head": b"GET /livez HTTP/1.1\r\nHost: loc",
}
UNREAD = post("/v1/models/mnist-vae/generate?count=4096").content
"""Its answer has 38 MB."""


def sigterm(bench: Bench) -> Iterator[Row]:
    """Send SIGTERM under load, many times."""
    few = max(1, bench.rounds // 6)
    for workers in (1, 2):
        yield restarts(bench, workers, bench.rounds, "as fast as they are answered")
        yield restarts(bench, workers, few, "100 a second, one connection each", rate=100, reconnect=True)
        yield restarts(bench, workers, few, "100 a second, no drain", rate=100, drain_seconds=0)


def restarts(
    bench: Bench,
    workers: int,
    rounds: int,
    words: str,
    *,
    rate: float = 0,
    reconnect: bool = False,
    drain_seconds: float = 1,
) -> Row:
    """Start a server, load it, and send SIGTERM, some times."""
    outcomes, codes = Outcomes(), Counter[int | None]()
    longest = 0.0
    for _ in range(rounds):
        with bench.serve(workers=workers, drain_seconds=drain_seconds) as server:
            load = Load(server.address, 16, rate=rate, reconnect=reconnect)
            time.sleep(LOAD_SECONDS)
            begin = time.monotonic()
            server.process.terminate()
            codes[server.wait(60)] += 1
            longest = max(longest, time.monotonic() - begin)
            outcomes.update(load.stop())
    return Row(
        f"SIGTERM {rounds} times, {workers} worker(s), requests from 16 connections {words}",
        "0 lost, exit code 0",
        f"{outcomes.text()}; exit codes {dict(codes)}; at most {longest:.1f} s",
        outcomes.are_right and set(codes) == {0},
    )


def signals(bench: Bench) -> Iterator[Row]:
    """Send every signal that an operator may send, under load."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
        for workers in (1, 2):
            with bench.serve(workers=workers) as server:
                yield signal_under_load(server, number, workers)


def signal_under_load(server: Server, number: signal.Signals, workers: int) -> Row:
    """Send one signal to a loaded server."""
    ends = number in (signal.SIGINT, signal.SIGQUIT)
    before = server.workers()
    load = Load(server.address, 16)
    time.sleep(LOAD_SECONDS)
    server.process.send_signal(number)
    code = server.wait(30 if ends else 2)
    outcomes = load.stop()
    state = "runs on" if code is None else f"exit code {code}"
    orphans = [pid for pid in before if is_alive(pid)] if ends else []
    return Row(
        f"{number.name} under full load, {workers} worker(s)",
        "drains, exit code 0, 0 lost" if ends else "runs on with its processes, 0 lost",
        f"{state}; {outcomes.text()}",
        outcomes.are_right and code == (0 if ends else None) and not orphans and (ends or server.workers() == before),
    )


def drain(bench: Bench) -> Iterator[Row]:
    """Look at a server between SIGTERM and its end."""
    rows = rows_as_npy(noise(4096))
    request = post(
        "/v1/models/mnist-ae/reconstruct", rows, content_type="application/x-npy", accept="application/x-npy"
    ).content
    with bench.serve() as server:
        kept = server.connect(get("/readyz").content)
        read_answer(kept)
        slow = server.connect(request[:-1000])
        time.sleep(0.3)
        server.process.terminate()
        time.sleep(0.3)
        statuses = [server.status("/readyz"), server.status("/livez")]
        kept.sendall(get("/readyz").content)
        statuses.append(read_answer(kept)[0])
        slow.sendall(request[-1000:])
        status, body = read_answer(slow)
        code = server.wait(60)
    yield Row(
        "SIGTERM, then /readyz and /livez on new connections, /readyz on a kept one",
        "503, 200, 503",
        ", ".join(map(str, statuses)),
        statuses == [503, 200, 503],
    )
    yield Row(
        "SIGTERM while a body of 12.8 MB is on its way",
        "answered whole, exit code 0",
        f"{status}, {len(body)} bytes, exit code {code}",
        status == 200 and len(body) > 4096 * 784 * 4 and code == 0,
    )


def unfinished(bench: Bench) -> Iterator[Row]:
    """Send SIGTERM while clients never finish."""
    for workers in (1, 2):
        for name, content in {**UNFINISHED, "an unread answer": UNREAD}.items():
            with bench.serve(workers=workers, drain_seconds=0, shutdown_seconds=3) as server:
                connection = server.connect(content, receive_buffer=4096)
                time.sleep(3 if content == UNREAD else 0.5)
                begin = time.monotonic()
                server.process.terminate()
                code, seconds = server.wait(30), time.monotonic() - begin
                status = read_answer(connection, 1)[0] if name == "a body" else None
                tracebacks = server.log().count("Traceback")
                connection.close()
            yield Row(
                f"SIGTERM with {name} that never ends, 3 s to finish, {workers} worker(s)",
                "exit code 0 within 6 s, no traceback" + (", 503 to the client" if name == "a body" else ""),
                f"exit code {code} after {seconds:.1f} s, {tracebacks} tracebacks"
                + ("" if status is None else f", {status} to the client"),
                code == 0 and seconds < 6 and not tracebacks and status in (None, 503),
            )


def early(bench: Bench) -> Iterator[Row]:
    """Send SIGTERM while the server starts, as process 1 of its own process namespace."""
    codes, slowest, first = Counter[int | None](), 0.0, 0.0
    delays = [0.25 * number for number in range(4 if bench.is_quick else 12)]
    for delay in delays:
        with bench.serve(wait=False, wrap=("unshare", "--pid", "--fork", "--kill-child")) as server:
            begin = time.monotonic()
            wait_until(lambda server=server: any(map(handles_sigterm, server.pids()[1:2])))  # type: ignore[misc]
            first = max(first, time.monotonic() - begin)
            time.sleep(delay)
            begin = time.monotonic()
            for pid in server.pids()[1:2]:
                os.kill(pid, signal.SIGTERM)
            codes[server.wait(20)] += 1
            slowest = max(slowest, time.monotonic() - begin)
    yield Row(
        f"SIGTERM to process 1, {delays[0]:.0f} to {delays[-1]:.1f} s after Python runs its first line, "
        f"{len(delays)} times",
        "ends, exit code 0 or 143",
        f"exit codes {dict(codes)}, at most {slowest:.1f} s; the first line ran after at most {first:.2f} s",
        set(codes) <= {0, 143},
    )


def handles_sigterm(pid: int) -> bool:
    """Return True once a process has a handler for SIGTERM; before that, Linux keeps it from process 1."""
    with contextlib.suppress(OSError):
        status = (PROC / str(pid) / "status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught >> (signal.SIGTERM - 1) & 1) and command_line(pid).find(b"unshare") < 0
    return False
