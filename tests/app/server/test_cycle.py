"""One request on a connection of uvicorn: what the application receives and when, and how its task ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl

from app.server.cycle import Cycle

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
DISCONNECT = {"type": "http.disconnect"}


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.text = b""
        self.closed = False
        self.paused = False

    def write(self, data: Any) -> None:
        """Keep the bytes."""
        self.text += bytes(data)

    def close(self) -> None:
        """Record the end."""
        self.closed = True

    def is_closing(self) -> bool:
        """Return True once it is closed."""
        return self.closed

    def pause_reading(self) -> None:
        """Record the pause."""
        self.paused = True

    def resume_reading(self) -> None:
        """Record the end of the pause."""
        self.paused = False


def cycle_on(wire: Wire, expects_continue: bool = False, headers: Any = ()) -> Cycle:
    """Return the cycle of a request whose head has arrived."""
    connection: Any = SimpleNamespace(
        scope={"type": "http", "method": "POST", "path": "/", "headers": headers},
        transport=wire,
        flow=FlowControl(wire),
        logger=logging.getLogger("uvicorn.error"),
        access_logger=logging.getLogger("uvicorn.access"),
        access_log=False,
        server_state=SimpleNamespace(default_headers=[]),
        on_response_complete=lambda: None,
        expect_100_continue=expects_continue,
    )
    return Cycle(connection, keep_alive=True)


def message(body: bytes, more: bool = False) -> dict[str, Any]:
    """Return the ASGI message of a part of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits."""
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    return end.value.value


def test_a_body_that_has_arrived_is_received_without_waiting() -> None:
    cycle = cycle_on(Wire())
    cycle.add_body(b"whole")
    cycle.end_body()
    assert at_once(cycle.receive()) == message(b"whole")


def test_a_request_without_a_body_has_an_empty_one() -> None:
    cycle = cycle_on(Wire())
    cycle.end_body()
    assert at_once(cycle.receive()) == message(b"")


def test_pieces_that_arrive_together_are_one_part_of_the_body() -> None:
    cycle = cycle_on(Wire())
    assert [cycle.add_body(piece) for piece in (b"a", b"bc", b"def")] == [1, 3, 6]
    assert at_once(cycle.receive()) == message(b"abcdef", more=True)
    assert cycle.add_body(b"g") == 1
    cycle.end_body()
    assert at_once(cycle.receive()) == message(b"g")


@pytest.mark.parametrize(("headers", "missing"), [([(b"content-length", b"10")], [10, 7, 0]), ([], [0, 0, 0])])
def test_the_missing_bytes_are_those_of_an_announced_body(headers: Any, missing: list[int]) -> None:
    cycle = cycle_on(Wire(), headers=headers)
    before = cycle.missing_bytes()
    cycle.add_body(b"abc")
    at_once(cycle.receive())
    part = cycle.missing_bytes()
    cycle.add_body(b"defghij")
    assert [before, part, cycle.missing_bytes()] == missing


def test_bytes_after_the_answer_are_counted_and_dropped() -> None:
    cycle = cycle_on(Wire(), headers=[(b"content-length", b"10")])
    cycle.response_complete = True
    assert cycle.add_body(b"abcd") == 0
    assert (bytes(cycle.body), cycle.missing_bytes()) == (b"", 6)


def test_receive_waits_for_each_part_of_the_body_and_for_its_end() -> None:
    async def scenario() -> None:
        cycle = cycle_on(Wire())
        for event, expected in (
            (lambda: cycle.add_body(b"first"), message(b"first", more=True)),
            (lambda: cycle.add_body(b"second"), message(b"second", more=True)),
            (cycle.end_body, message(b"")),
        ):
            waiting = asyncio.create_task(cycle.receive())
            await asyncio.sleep(0)
            assert not waiting.done()
            event()
            assert await asyncio.wait_for(waiting, 10) == expected

    asyncio.run(scenario())


def test_everyone_who_waits_after_the_body_learns_of_the_disconnect() -> None:
    async def scenario() -> None:
        cycle = cycle_on(Wire())
        cycle.end_body()
        await cycle.receive()
        waiting = [asyncio.create_task(cycle.receive()) for _ in range(2)]
        await asyncio.sleep(0)
        cycle.disconnected = True
        cycle.message_event.set()
        assert await asyncio.wait_for(asyncio.gather(*waiting), 10) == [DISCONNECT, DISCONNECT]
        assert await cycle.receive() == DISCONNECT

    asyncio.run(scenario())


def test_a_client_that_expects_it_is_told_to_continue_once_the_application_reads() -> None:
    wire = Wire()
    cycle = cycle_on(wire, expects_continue=True)
    cycle.add_body(b"a")
    assert wire.text == b""
    at_once(cycle.receive())
    cycle.end_body()
    at_once(cycle.receive())
    assert wire.text == CONTINUE


def test_reading_resumes_once_the_application_reads() -> None:
    wire = Wire()
    cycle = cycle_on(wire)
    cycle.add_body(b"a")
    cycle.flow.pause_reading()
    at_once(cycle.receive())
    assert not wire.paused


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer nothing."""


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    """Raise an error before the answer."""
    raise ValueError("a bug")


async def half(scope: Scope, receive: Receive, send: Send) -> None:
    """Raise an error in the middle of the answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError("a bug")


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def play(app: Any, wire: Wire) -> None:
    """Let an application answer a request, in a task that is listed until it ends."""

    async def played() -> None:
        tasks: set[asyncio.Task[None]] = set()
        cycle_on(wire).start(app, asyncio.get_running_loop(), tasks)
        [task] = tasks
        await asyncio.wait_for(task, 10)
        assert not tasks

    asyncio.run(played())


@pytest.mark.parametrize(
    ("app", "status", "closed"),
    [(whole, b"200", False), (silent, b"500", True), (broken, b"500", True), (half, b"200", True)],
)
def test_every_request_ends_with_an_answer_or_with_its_connection(app: Any, status: bytes, closed: bool) -> None:
    wire = Wire()
    play(app, wire)
    assert wire.text.split(b" ")[1] == status
    assert wire.closed is closed


def test_the_bug_of_an_application_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    play(broken, Wire())
    [record] = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)
