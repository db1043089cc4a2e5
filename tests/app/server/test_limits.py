"""Limits of connections: caused on a real server with limits of a second, and swept with a clock of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.server.limits import LINGER_SECONDS, MAX_LINGERING, ConnectionLimits, ConnectionWatch, Phase
from tests.helpers.process import serving
from tests.helpers.wire import connect, memory, read_answers, read_to_end, trickle, wait_for_reset

LIMITS = ConnectionLimits(max_connections=2, head_seconds=10, body_seconds=20, write_seconds=0)
GET = b"GET /livez HTTP/1.1\r\nHost: here\r\n"
POST = b"POST /v1/models/tiny-ae/encode HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
LARGE = b"POST /v1/models/tiny-vae/generate?count=400000 HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n"
"""A request whose answer has 20 MB or more."""


class Waiting:
    """A connection whose progress the test sets."""

    def __init__(self, phase: Phase = Phase.HEAD) -> None:
        self.phase = phase
        self.mark: object = None
        self.expired: list[Phase] = []

    def progress(self) -> tuple[Phase, object]:
        """Return what the test set."""
        return self.phase, self.mark

    def expire(self, phase: Phase) -> None:
        """Record the phase."""
        self.expired.append(phase)


def watched(scenario: Callable[[ConnectionWatch], None], limits: ConnectionLimits = LIMITS) -> None:
    """Run a scenario with a watch that sweeps only when the scenario does."""

    async def run() -> None:
        scenario(ConnectionWatch(limits))

    asyncio.run(run())


def test_a_connection_expires_when_nothing_has_changed_for_its_limit() -> None:
    def scenario(watch: ConnectionWatch) -> None:
        connection = Waiting(Phase.BODY)
        watch.admit(connection)
        now = asyncio.get_running_loop().time()
        watch.sweep(now)
        watch.sweep(now + 19)
        assert connection.expired == []
        watch.sweep(now + 20)
        assert connection.expired == [Phase.BODY]

    watched(scenario)


@pytest.mark.parametrize("change", [("mark", 1), ("phase", Phase.HEAD)])
def test_progress_starts_the_limit_again(change: tuple[str, object]) -> None:
    def scenario(watch: ConnectionWatch) -> None:
        connection = Waiting(Phase.BODY)
        watch.admit(connection)
        now = asyncio.get_running_loop().time()
        watch.sweep(now)
        setattr(connection, *change)
        watch.sweep(now + 25)
        watch.sweep(now + 34)
        assert connection.expired == []

    watched(scenario)


@pytest.mark.parametrize("phase", [Phase.OTHER, Phase.ANSWER])
def test_no_limit_means_no_end(phase: Phase) -> None:
    def scenario(watch: ConnectionWatch) -> None:
        connection = Waiting(phase)
        watch.admit(connection)
        now = asyncio.get_running_loop().time()
        watch.sweep(now)
        watch.sweep(now + 1e9)
        assert connection.expired == []

    watched(scenario)


def test_connections_beyond_the_limit_are_not_admitted() -> None:
    def scenario(watch: ConnectionWatch) -> None:
        first, second, third, fourth = Waiting(), Waiting(), Waiting(), Waiting()
        assert [watch.admit(connection) for connection in (first, second, third)] == [True, True, False]
        assert watch.may_linger(third)
        watch.remove(first)
        assert watch.admit(fourth)  # the refused one does not count

    watched(scenario)


def test_refused_connections_linger_for_a_while_and_not_too_many() -> None:
    def scenario(watch: ConnectionWatch) -> None:
        refused = [Waiting(Phase.REFUSED) for _ in range(MAX_LINGERING + 1)]
        for connection in refused:
            watch.admit(connection)
        assert [watch.may_linger(connection) for connection in refused] == [True] * MAX_LINGERING + [False]
        now = asyncio.get_running_loop().time()
        watch.sweep(now)
        watch.sweep(now + LINGER_SECONDS)
        assert refused[0].expired == [Phase.REFUSED]

    watched(scenario)


def test_sweeps_are_frequent_enough_for_short_limits() -> None:
    async def run() -> None:
        watch = ConnectionWatch(ConnectionLimits(head_seconds=0.02))
        connection = Waiting()
        watch.admit(connection)
        while not connection.expired:
            await asyncio.sleep(0.001)
        watch.remove(connection)

    asyncio.run(asyncio.wait_for(run(), 0.9))


@pytest.fixture(scope="module")
def server(tiny_models: Path) -> Iterator[tuple[int, str]]:
    """Start a server with short limits and give its process and address."""
    limits = {"head_seconds": "0.6", "body_seconds": "0.6", "write_seconds": "0.6", "keep_alive_seconds": "1"}
    sizes = {"max_rows": "500000", "max_queued_rows": "2000000", "max_connections": "8", "max_body_bytes": "1000"}
    with serving(models_dir=str(tiny_models), **limits, **sizes) as (process, address, _):
        yield process.pid, address


def test_a_silent_connection_is_closed(server: tuple[int, str]) -> None:
    with connect(server[1]) as sock:
        assert read_answers(sock) == []


def test_a_slow_head_is_answered_with_408(server: tuple[int, str]) -> None:
    with connect(server[1]) as sock:
        sock.sendall(GET + b"A: ")
        assert 0.5 < trickle(sock) < 5
        [answer] = read_answers(sock)
    assert (answer.status, answer.problem()["code"]) == (408, "request-timeout")
    assert answer.headers["connection"] == "close"


def test_a_slow_body_is_answered_with_408(server: tuple[int, str]) -> None:
    with connect(server[1]) as sock:
        sock.sendall(POST + b"Content-Length: 900\r\n\r\n{")
        assert 0.5 < trickle(sock) < 5
        [answer] = read_answers(sock)
    assert (answer.status, answer.problem()["code"]) == (408, "request-timeout")


def test_a_slow_body_after_the_answer_is_closed(server: tuple[int, str]) -> None:
    with connect(server[1]) as sock:
        sock.sendall(POST + b"Content-Length: 1000000\r\n\r\n{")
        [answer] = read_answers(sock, 1)
        assert (answer.status, answer.problem()["code"]) == (413, "body-too-large")
        assert 0.5 < trickle(sock) < 5
        assert read_answers(sock) == []


def test_blank_lines_do_not_keep_a_connection_open(server: tuple[int, str]) -> None:
    with connect(server[1]) as sock:
        sock.sendall(GET + b"\r\n")
        assert [answer.status for answer in read_answers(sock, 1)] == [200]
        sock.sendall(b"\r\n")  # uvicorn stops its own timer here
        assert read_answers(sock) == []


def test_an_idle_connection_is_closed(server: tuple[int, str]) -> None:
    with connect(server[1]) as sock:
        sock.sendall(GET + b"\r\n")
        assert [answer.status for answer in read_answers(sock)] == [200]


def test_answers_that_nobody_reads_are_given_up(
    server: tuple[int, str], record_property: Callable[[str, object], None]
) -> None:
    pid, address = server
    before = memory(pid)
    clients = []
    for _ in range(4):
        clients.append(client := connect(address, receive_buffer=4096))
        client.sendall(LARGE)
        assert client.recv(12) == b"HTTP/1.1 200"
    held = memory(pid)
    for client in clients:
        wait_for_reset(client)
        with pytest.raises(ConnectionResetError):
            read_to_end(client)
        client.close()
    record_property("resident MiB before, held, after", (before, held, memory(pid)))


def test_a_reader_that_makes_progress_gets_its_whole_answer(server: tuple[int, str]) -> None:
    with connect(server[1], receive_buffer=65536) as client:
        client.sendall(LARGE)
        [answer] = read_answers(client, 1)
    assert answer.status == 200


def test_connections_beyond_the_limit_get_503(server: tuple[int, str]) -> None:
    clients = []
    for _ in range(8):
        clients.append(client := connect(server[1]))
        client.sendall(GET + b"\r\n")
        assert [answer.status for answer in read_answers(client, 1)] == [200]
    with connect(server[1]) as refused:
        refused.sendall(GET + b"\r\n")
        [answer] = read_answers(refused)
    assert (answer.status, answer.problem()["code"]) == (503, "overloaded")
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    clients[0].sendall(GET + b"Connection: close\r\n\r\n")
    assert [answer.status for answer in read_answers(clients[0])] == [200]
    with connect(server[1]) as admitted:
        admitted.sendall(GET + b"\r\n")
        assert [answer.status for answer in read_answers(admitted, 1)] == [200]
    for client in clients:
        client.close()
