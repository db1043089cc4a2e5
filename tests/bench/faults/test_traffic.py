"""Each outcome of a request is told apart."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.faults.server import wait_until
from bench.faults.traffic import (
    CUT,
    LOST_KEPT,
    LOST_NEW,
    REFUSED,
    Client,
    Load,
    Outcomes,
    Question,
    get,
    mixture,
    post,
)
from tests.helpers.process import free_port, serving

ROOT = Path(__file__).parents[3]
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def answering(*connections: list[bytes]) -> Iterator[str]:
    """Accept connections one after another; on each, answer each request with the next bytes, then close it."""

    def serve(listener: socket.socket) -> None:
        for answers in connections:
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    connection.recv(65536)
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


async def ask(address: str, times: int) -> list[int | str]:
    """Return the outcomes of some requests of one client."""
    client = Client(address)
    outcomes = [await client.ask(get("/livez")) for _ in range(times)]
    client.close()
    return outcomes


@pytest.mark.parametrize(
    ("connections", "outcomes"),
    [
        ([[WHOLE, WHOLE]], [200, 200]),
        ([[LAST], [WHOLE]], [200, 200]),
        ([[b""]], [LOST_NEW]),
        ([[WHOLE, b""]], [200, LOST_KEPT]),
        ([[WHOLE[:-1]]], [CUT]),
        ([[WHOLE[:20]]], [CUT]),
    ],
    ids=["kept", "closed by the server", "nothing", "nothing the second time", "a part of the body", "of the head"],
)
def test_outcomes_of_one_client(connections: list[list[bytes]], outcomes: list[int | str]) -> None:
    with answering(*connections) as address:
        assert asyncio.run(ask(address, len(outcomes))) == outcomes


def test_a_port_without_a_server_refuses() -> None:
    assert asyncio.run(ask(f"http://127.0.0.1:{free_port()}", 1)) == [REFUSED]


def test_outcomes_are_right_if_nothing_is_lost_and_each_status_fits() -> None:
    outcomes, question = Outcomes(), Question(b"", frozenset([200, 503]))
    assert not outcomes.are_right
    outcomes.add(question, 503, 0.25)
    outcomes.add(question, REFUSED, 0.0)
    assert outcomes.are_right
    other = Outcomes()
    other.add(question, 500, 0.75)
    outcomes.update(other)
    assert not outcomes.are_right
    assert outcomes.text() == "2 answers, 0 lost, 1 with status 500, not expected"
    assert outcomes.milliseconds(50) == 500
    outcomes.add(question, CUT, 0.0)
    assert outcomes.text() == "2 answers, 1 lost, 1 cut off, 1 with status 500, not expected"


def test_a_body_has_its_length_and_type() -> None:
    question = post("/a", b"body", 404, content_type="text/plain")
    assert question.content == (
        b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Type: text/plain\r\n\r\nbody"
    )
    assert question.statuses == {404}


def test_every_question_of_the_mixture_gets_a_right_status() -> None:
    with serving(models_dir=str(ROOT / "models")) as (_, address, _):

        async def ask_all() -> list[int | str]:
            client = Client(address)
            answers = [await client.ask(question) for question in mixture()]
            client.close()
            return answers

        statuses = asyncio.run(ask_all())
        load = Load(address, 2, rate=100, reconnect=True, questions=[get("/livez")])
        assert wait_until(lambda: load.outcomes.answers >= 3)
        assert load.stop().are_right
    assert all(status in question.statuses for status, question in zip(statuses, mixture(), strict=True))
