"""Answers that are written whole: the same as uvicorn's `send` writes, and left to it where there is more to do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.api import whole_answers
from app.api.connections import Connection
from app.main import create_app
from app.settings import Settings

ROW = b'{"samples": [[0.25, 0.75, 0.5, 0]]}'


class Wire(asyncio.Transport):
    """A transport that remembers each of its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    @property
    def text(self) -> bytes:
        """All that was written."""
        return b"".join(self.written)

    def write(self, data: Any) -> None:
        """One system call; what comes after the end is lost."""
        if not self.closed:
            self.written.append(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """One system call, too."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """The end."""
        self.closed = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nor here."""


Connections = list[tuple[Connection, Wire]]


@contextmanager
def connected(app: ASGIApp, count: int = 1, access_log: bool = False) -> Iterator[Connections]:
    """Connections to an application as uvicorn serves it."""
    config = uvicorn.Config(app, log_config=None, access_log=access_log)
    config.load()
    state = uvicorn.server.ServerState()
    state.default_headers = [(b"date", b"today")]
    made = []
    for _ in range(count):
        connection, wire = Connection(config, state, {}), Wire()
        connection.access_log = access_log
        connection.connection_made(wire)
        made.append((connection, wire))
    yield made
    for connection, _ in made:
        connection.connection_lost(None)


@pytest.fixture
def app(tiny_models: Path) -> ASGIApp:
    """The application over the tiny models."""
    return create_app(Settings(models_dir=tiny_models, threads=1))


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each answer was written whole, as far as it was tried."""
    tried: list[bool] = []
    write = whole_answers.write_whole

    def remembered(*arguments: Any, **options: Any) -> bool:
        tried.append(write(*arguments, **options))
        return tried[-1]

    monkeypatch.setattr("app.api.tasks.write_whole", remembered)
    return tried


def request(
    path: str = "/v1/models/tiny-ae/encode", method: str = "POST", body: bytes = ROW, more: str = "", http: str = "1.1"
) -> bytes:
    """A request as bytes."""
    head = f"{method} {path} HTTP/{http}\r\nHost: here\r\nX-Request-ID: mine\r\n"
    return f"{head}Content-Length: {len(body)}\r\n{more}\r\n".encode() + body


def play(scenario: Callable[[Connections], Any], app: ASGIApp, count: int = 1, **options: Any) -> Any:
    """What a scenario with connections gives."""

    async def played() -> Any:
        with connected(app, count, **options) as made:
            return await asyncio.wait_for(scenario(made), 10)

    return asyncio.run(played())


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something, and a little longer for what should not happen."""
    while not happened():
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)


def ask(app: ASGIApp, content: bytes, **options: Any) -> bytes:
    """The answer to one request, without the times in it."""

    async def scenario(made: Connections) -> bytes:
        [(connection, wire)] = made
        connection.data_received(content)
        await until(lambda: connection.cycle.response_complete)
        return wire.text

    answer: bytes = play(scenario, app, **options)
    return re.sub(rb"dur=\d+\.\d{3}", b"dur=?", answer)


def test_the_installed_uvicorn_was_looked_at() -> None:
    assert uvicorn.__version__.startswith(whole_answers.KNOWN)


@pytest.mark.parametrize("accept", ["application/json", "application/x-npy"])
def test_a_whole_answer_is_the_answer_that_uvicorn_would_write(
    app: ASGIApp, accept: str, whole: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = request(more=f"Accept: {accept}\r\n")
    answer = ask(app, content)
    assert whole == [True]
    monkeypatch.setattr(whole_answers, "_known", False)
    assert ask(app, content) == answer
    assert len(whole) == 1
    assert answer.startswith(b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: application/")
    assert b"\r\nx-request-id: mine\r\n" in answer


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (request(more="Connection: close\r\n"), {}),
        (request(http="1.0"), {}),
        (request(), {"access_log": True}),
    ],
)
def test_what_is_more_than_an_answer_is_left_to_uvicorn(
    app: ASGIApp, content: bytes, options: dict[str, Any], whole: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "uvicorn.access"):
        answer = ask(app, content, **options)
    assert whole == [False]
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (b"\r\nconnection: close\r\n" in answer) == (not options)
    assert any('"POST /v1/models/tiny-ae/encode HTTP/1.1" 200' in line for line in caplog.messages) == bool(options)


def test_a_middleware_around_the_application_sees_every_answer(app: ASGIApp, whole: list[bool]) -> None:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-mark", b"seen"))
            await send(message)

        await app(scope, receive, marked)

    assert b"\r\nx-mark: seen\r\n" in ask(wrapped, request())
    assert whole == []


def test_a_client_that_reads_too_slowly_is_waited_for(app: ASGIApp, whole: list[bool]) -> None:
    async def scenario(made: Connections) -> None:
        [(connection, wire)] = made
        connection.pause_writing()
        connection.data_received(request())
        await until(lambda: bool(whole))
        assert (wire.written, whole) == ([], [False])
        connection.resume_writing()
        await until(lambda: connection.cycle.response_complete)
        assert wire.text.startswith(b"HTTP/1.1 200 OK\r\n")

    play(scenario, app)


def test_a_client_that_has_gone_gets_nothing(app: ASGIApp, whole: list[bool]) -> None:
    async def scenario(made: Connections) -> None:
        [(connection, wire)] = made
        connection.data_received(request())
        await asyncio.sleep(0)  # it waits for its run now
        connection.connection_lost(ConnectionError())
        await until(lambda: bool(whole) or not connection.tasks)
        assert (wire.written, whole) == ([], [False])

    play(scenario, app)


def test_of_answers_at_the_same_time_all_but_the_last_are_one_piece(app: ASGIApp, whole: list[bool]) -> None:
    async def scenario(made: Connections) -> list[int]:
        for connection, _ in made:
            connection.data_received(request())
        await until(lambda: all(connection.cycle.response_complete for connection, _ in made))
        return [len(wire.written) for _, wire in made]

    assert play(scenario, app, count=4) == [1, 1, 1, 2]
    assert whole == [True] * 4


def test_a_connection_goes_on_after_a_whole_answer(app: ASGIApp, whole: list[bool]) -> None:
    async def scenario(made: Connections) -> bytes:
        [(connection, wire)] = made
        connection.data_received(request() + request("/livez", "HEAD", b"") + request())  # at once: answered in turn
        await until(lambda: wire.text.count(b"HTTP/1.1 ") == 3)
        connection.data_received(request("/v1/models/tiny-ae/encode", body=b'{"samples": [[1]]}'))
        await until(lambda: wire.text.count(b"HTTP/1.1 ") == 4)
        assert connection.timeout_keep_alive_task is not None
        assert connection.server_state.total_requests == 4
        return wire.text

    answers = play(scenario, app)
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"200", b"200", b"422"]
    assert answers.count(b'{"model":"tiny-ae"') == 2
    assert whole == [True, True]


def test_who_listens_for_the_client_is_told_that_the_answer_is_complete(app: ASGIApp, whole: list[bool]) -> None:
    async def scenario(made: Connections) -> None:
        [(connection, _)] = made
        connection.data_received(request())
        await asyncio.sleep(0)  # the body is read now, and the request waits for its run
        listener = asyncio.create_task(connection.cycle.receive())
        assert (await listener)["type"] == "http.disconnect"
        assert connection.cycle.response_complete

    play(scenario, app)
    assert whole == [True]


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(app: ASGIApp) -> None:
    async def scenario(made: Connections) -> None:
        [(connection, wire)] = made
        content = request(more="Expect: 100-continue\r\n")
        connection.data_received(content[: -len(ROW)])
        await until(lambda: bool(wire.written))
        assert wire.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
        connection.data_received(ROW)
        await until(lambda: connection.cycle.response_complete)
        assert wire.written[1].startswith(b"HTTP/1.1 200 OK\r\n")

    play(scenario, app)


def test_only_uvicorns_own_send_leads_to_its_cycle() -> None:
    class Other:
        async def send(self, message: Message) -> None:
            """What another server has."""

    async def send(message: Message) -> None:
        """What a middleware gives."""

    assert whole_answers.uvicorns_cycle(send) is None
    assert whole_answers.uvicorns_cycle(Other().send) is None
    cycle = object.__new__(RequestResponseCycle)
    assert whole_answers.uvicorns_cycle(cycle.send) is cycle  # type: ignore[arg-type]
