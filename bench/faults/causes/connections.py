"""Clients that are slow, many, or send more than they may before there is a request."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bench.faults.causes.endings import UNFINISHED, UNREAD
from bench.faults.row import Row
from bench.faults.server import Bench, Server, read_all, read_answer
from bench.faults.traffic import get, noise, post, run_load
from bench.serving.loads import rows_as_npy

LIMIT_SECONDS = 2
CLIENTS = 20
MAX_SENT_MIB = 8


def slow(bench: Bench) -> Iterator[Row]:
    """Let clients send or read nothing, or a byte at a time, for longer than the limits."""
    names = ("head_seconds", "body_seconds", "write_seconds", "keep_alive_seconds")
    limits: dict[str, Any] = dict.fromkeys(names, LIMIT_SECONDS)
    with bench.serve(**limits) as server:
        before = server.descriptors()
        groups = {
            "send nothing": [server.connect() for _ in range(CLIENTS)],
            "send their head a byte at a time": [server.connect(UNFINISHED["a head"]) for _ in range(CLIENTS)],
            "send their body a byte at a time": [server.connect(UNFINISHED["a body"]) for _ in range(CLIENTS)],
            "send no second request": [server.connect(get("/livez").content) for _ in range(CLIENTS)],
            "do not read their answer of 38 MB": [server.connect(UNREAD, receive_buffer=4096) for _ in range(4)],
        }
        end = time.monotonic() + 5 * LIMIT_SECONDS
        while time.monotonic() < end:
            for name in list(groups)[1:3]:
                trickle(groups[name])
            time.sleep(0.5)
        for name, connections in groups.items():
            still_open = sum(is_open(connection) for connection in connections)
            yield Row(
                f"{len(connections)} clients that {name}, limit {LIMIT_SECONDS} s",
                f"closed within {5 * LIMIT_SECONDS} s",
                f"{still_open} still open",
                still_open == 0,
            )
        left = server.descriptors() - before
        outcomes = run_load(server.address, 1)
        yield Row(
            "… and what they leave behind",
            "no descriptor, and others are served",
            f"{left} descriptors more than before; {outcomes.text()}",
            left <= 0 and outcomes.are_right,
        )


def trickle(connections: list[socket.socket]) -> None:
    """Send one byte on each connection, unless something was answered: then the server has closed it."""
    answered, _, _ = select.select(connections, [], [], 0)
    for connection in set(connections) - set(answered):
        with contextlib.suppress(OSError):
            connection.send(b"a")


def is_open(connection: socket.socket) -> bool:
    """Return True unless the server has closed or reset the connection."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return not poll.poll(0)


def heads(bench: Bench) -> Iterator[Row]:
    """Send heads that never end, and measure how long other clients wait."""
    cases = {
        "headers of 1 MiB each": (b"GET /livez HTTP/1.1\r\nHost: a\r\n", b"A: %b\r\n" % (b"b" * 2**20), 431),
        "one header that never ends": (b"GET /livez HTTP/1.1\r\nHost: a\r\nA: ", b"b" * 2**20, 431),
        "a path that never ends": (b"GET /", b"a" * 2**20, 414),
        "100 000 short headers": (b"GET /livez HTTP/1.1\r\nHost: a\r\n", b"A: b\r\n" * 1000, 431),
    }
    for name, (start, part, expected) in cases.items():
        with bench.serve() as server:
            before = server.resident_mib()
            connection = server.connect(start)
            begin, bytes_sent = time.monotonic(), 0
            with contextlib.suppress(OSError):
                while bytes_sent < 32 * 2**20:
                    connection.sendall(part)
                    bytes_sent += len(part)
            status = read_answer(connection, 10)[0]
            livez = server.status("/livez")
            seconds = time.monotonic() - begin
            growth = server.resident_mib() - before
            yield Row(
                f"a head with {name}",
                f"{expected} or a reset after at most {MAX_SENT_MIB} MiB, most of them in the kernel; /livez 200",
                f"{status or 'reset'} after {bytes_sent / 2**20:.1f} MiB in {seconds:.1f} s; memory {growth:+.0f} MiB; "
                f"/livez {livez}",
                bytes_sent <= MAX_SENT_MIB * 2**20 and status in (0, expected) and livez == 200 and growth < 32,
            )
            connection.close()


def upgrades(bench: Bench) -> Iterator[Row]:
    """Offer other protocols with a body, whole and in two segments."""
    body = b'{"samples": [[%b]]}' % b",".join([b"0.5"] * 784)
    offers = {
        "h2c, as curl --http2 and Java": b"Connection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Version: 13\r\n",
        "TLS/1.2": b"Connection: upgrade\r\nUpgrade: TLS/1.2\r\n",
    }
    smuggled = b"GET /v1/models/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    with bench.serve() as server:
        for name, headers in offers.items():
            statuses = Counter[int]()
            start = b"POST /v1/models/mnist-ae/encode HTTP/1.1\r\nHost: localhost\r\n" + headers
            start += b"Content-Type: application/json\r\n"
            for content in (body, smuggled):
                framings = (
                    start + b"Content-Length: %d\r\n\r\n" % len(content) + content,
                    start + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(content), content),
                )
                for request in framings:
                    for cut in (0, len(request) - 10):
                        connection = server.connect(request[:cut])
                        time.sleep(0.05 if cut else 0)
                        connection.sendall(request[cut:])
                        statuses[read_answer(connection, 5)[0]] += 1
                        statuses[read_answer(ask_on(connection), 5)[0]] += 1
                        connection.close()
            smuggled_count = server.log().count("smuggled")
            yield Row(
                f"POST with an offer of {name}, 8 times, then GET /livez",
                "200 four times and 400 four times, 200 for each /livez; no body runs as a request",
                f"{dict(statuses)}; {smuggled_count} hidden requests",
                statuses == Counter({200: 12, 400: 4}) and not smuggled_count,
            )


def floods(bench: Bench) -> Iterator[Row]:
    """Open more connections than the server, or the machine, allows; and hang up."""
    with bench.serve(max_connections=500) as server:
        connections = [server.connect() for _ in range(520)]
        status = read_answer(connections[-1], 5)[0]
        served = read_answer(ask_on(connections[0]), 5)[0]
        for connection in connections:
            connection.close()
        time.sleep(0.5)
        yield Row(
            "520 connections, 500 allowed",
            "503 to the last, the first is served, all are after the flood",
            f"{status}, {served}, {server.status('/livez')}",
            (status, served, server.status("/livez")) == (503, 200, 200),
        )
    with bench.serve() as server:
        before = server.resident_mib()
        connections = [server.connect() for _ in range(900)]
        growth = server.resident_mib() - before
        outcomes = run_load(server.address, 2)
        yield Row(
            "900 idle connections",
            "others are served; less than 20 MiB",
            f"{outcomes.text()}; memory {growth:+.0f} MiB",
            outcomes.are_right and growth < 20,
        )
        for connection in connections:
            connection.close()
        yield hang_ups(server)


def ask_on(connection: socket.socket) -> socket.socket:
    """Send a request on a connection that was idle."""
    connection.sendall(get("/livez").content)
    return connection


def hang_ups(server: Server) -> Row:
    """Let clients hang up before their large requests are computed, and in the middle of a body."""
    request = post(
        "/v1/models/mnist-ae/reconstruct", rows_as_npy(noise(4096)), content_type="application/x-npy"
    ).content
    for _ in range(20):
        server.connect(request).close()
    for _ in range(500):
        server.connect(request[:2000]).close()
    time.sleep(3)
    left, tracebacks = server.descriptors(), server.log().count("Traceback")
    return Row(
        "20 clients that hang up after 4 096 rows, 500 in the middle of a body",
        "nothing is left behind",
        f"{left} descriptors, {tracebacks} tracebacks, /livez {server.status('/livez')}",
        left < 60 and not tracebacks and server.status("/livez") == 200,
    )


def descriptors(bench: Bench) -> Iterator[Row]:
    """Open more connections than the process has descriptors."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    with bench.serve(preexec=limit) as server:
        connections = [server.connect() for _ in range(400)]
        time.sleep(1)
        begin = server.cpu_seconds()
        time.sleep(3)
        seconds = server.cpu_seconds() - begin
        served = read_answer(ask_on(connections[0]), 5)[0]
        for connection in connections:
            connection.close()
        time.sleep(1)
        later = server.status("/livez")
    yield Row(
        "400 connections, 256 file descriptors",
        "open ones are served, no busy loop, all are served afterwards",
        f"{served}; {seconds:.1f} s of CPU in 3 s; afterwards {later}",
        served == 200 and seconds < 1 and later == 200,
    )


def pipelined(bench: Bench) -> Iterator[Row]:
    """Send many requests at once on one connection."""
    with bench.serve() as server:
        before = server.resident_mib()
        connection = server.connect(
            get("/livez").content * 999 + get("/livez").content.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        answers = read_all(connection).count(b"HTTP/1.1 200")
        growth = server.resident_mib() - before
    yield Row(
        "1 000 requests at once on one connection",
        "1 000 answers",
        f"{answers} answers, memory {growth:+.0f} MiB",
        answers == 1000 and growth < 32,
    )
