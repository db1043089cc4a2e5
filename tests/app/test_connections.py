"""Answers in one piece: what is held, what is not, and that nothing is held for good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn

from app.api.connections import Connection, Pieces, in_one_piece
from app.main import create_app
from app.settings import Settings

ROW = b'{"samples": [[0.25, 0.75, 0.5, 0]]}'


class Wire(asyncio.Transport):
    """A transport that remembers each of its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        """One system call."""
        if not self.closed:
            self.written.append(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """One system call, too."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """What is written now is lost."""
        self.closed = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nor here."""


def test_what_is_held_is_written_at_once_when_it_is_released() -> None:
    wire = Wire()
    pieces = Pieces(wire)
    pieces.write(b"before")
    release = pieces.hold()
    pieces.write(b"head ")
    pieces.write(b"body")
    assert wire.written == [b"before"]
    release()
    pieces.write(b"after")
    assert wire.written == [b"before", b"head body", b"after"]


def test_what_is_held_is_written_before_the_connection_is_closed() -> None:
    wire = Wire()
    pieces = Pieces(wire)
    release = pieces.hold()
    pieces.write(b"last words")
    pieces.close()
    release()
    assert (wire.written, wire.closed) == ([b"last words"], True)


def test_a_transport_is_asked_for_all_else() -> None:
    wire = Wire()
    wire.get_extra_info = lambda name, default=None: f"the {name}"  # type: ignore[method-assign]
    pieces = cast(Any, Pieces(wire))
    assert pieces.get_extra_info("peername") == "the peername"
    assert not pieces.is_closing()
    pieces.close()
    assert pieces.is_closing()


def test_a_server_that_cannot_hold_writes_is_asked_for_nothing() -> None:
    assert in_one_piece({"type": "http"}) is None


@contextmanager
def connected(models: Path, count: int) -> Iterator[list[tuple[Connection, Wire]]]:
    """Connections to an application as uvicorn serves it."""
    config = uvicorn.Config(create_app(Settings(models_dir=models, threads=1)), log_config=None, access_log=False)
    config.load()
    state = uvicorn.server.ServerState()
    made = []
    for _ in range(count):
        connection, wire = Connection(config, state, {}), Wire()
        connection.connection_made(wire)
        made.append((connection, wire))
    yield made
    for connection, _ in made:
        connection.connection_lost(None)


def request(path: str = "/v1/models/tiny-ae/encode", method: str = "POST", body: bytes = ROW, more: str = "") -> bytes:
    """A request as bytes."""
    head = f"{method} {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


async def answered(*wires: Wire) -> None:
    """Wait until each wire holds a whole answer."""
    async with asyncio.timeout(10):
        while not all(b"\r\n\r\n" in b"".join(wire.written) for wire in wires):
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("more", ["", "Connection: close\r\n"])
def test_of_answers_at_the_same_time_all_but_the_last_are_one_piece(tiny_models: Path, more: str) -> None:
    async def scenario() -> list[Wire]:
        with connected(tiny_models, 4) as made:
            wires = [wire for _, wire in made]
            for connection, _ in made:
                connection.data_received(request(more=more))
            await answered(*wires)
            assert [wire.closed for wire in wires] == [bool(more)] * 4
            return wires

    wires = asyncio.run(scenario())
    assert [len(wire.written) for wire in wires] == [1, 1, 1, 2]
    for wire in wires:
        answer = b"".join(wire.written)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.partition(b"\r\n\r\n")[2].startswith(b'{"model":"tiny-ae"')


@pytest.mark.parametrize(
    ("path", "method", "body", "status"),
    [
        ("/v1/models/tiny-ae/encode", "POST", b'{"samples": [[0.25]]}', b"422"),
        ("/v2/health/live", "HEAD", b"", b"200"),
        ("/livez", "GET", b"", b"200"),
    ],
)
def test_other_answers_at_the_same_time_are_written_whole(
    tiny_models: Path, path: str, method: str, body: bytes, status: bytes
) -> None:
    async def scenario() -> None:
        with connected(tiny_models, 2) as made:
            (slow, _), (connection, wire) = made
            slow.data_received(request())
            connection.data_received(request(path, method, body))
            await answered(wire)
            assert b"".join(wire.written).startswith(b"HTTP/1.1 " + status)

    asyncio.run(scenario())


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(tiny_models: Path) -> None:
    async def scenario() -> None:
        with connected(tiny_models, 1) as [(connection, wire)]:
            whole = request(more="Expect: 100-continue\r\n")
            connection.data_received(whole[: -len(ROW)])
            await answered(wire)
            assert wire.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
            connection.data_received(ROW)
            while len(wire.written) == 1:
                await asyncio.sleep(0.001)
            assert wire.written[1].startswith(b"HTTP/1.1 200 OK\r\n")

    asyncio.run(scenario())


def test_requests_that_come_at_once_on_one_connection_are_answered_in_turn(tiny_models: Path) -> None:
    async def scenario() -> bytes:
        with connected(tiny_models, 1) as [(connection, wire)]:
            connection.data_received(request() + request("/livez", "HEAD", b"") + request())
            while b"".join(wire.written).count(b"HTTP/1.1 ") < 3:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            return b"".join(wire.written)

    answer = asyncio.run(asyncio.wait_for(scenario(), 10))
    assert answer.count(b'{"model":"tiny-ae"') == 2
