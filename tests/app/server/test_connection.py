"""Connections: complete answers in one write, equal to those of uvicorn's `send`, and an answer to malformed HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.main import create_app
from app.server.connection import KNOWN_VERSIONS, Connection, write_response
from app.settings import Settings
from tests.helpers.process import serving

ROW = b'{"samples": [[0.25, 0.75, 0.5, 0]]}'


class Wire(asyncio.Transport):
    """A transport that records each of its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    @property
    def text(self) -> bytes:
        """All bytes so far."""
        return b"".join(self.written)

    def write(self, data: Any) -> None:
        """Record one system call, unless the transport is closed."""
        if not self.closed:
            self.written.append(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Record one system call."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Ignore later writes."""
        self.closed = True

    def is_closing(self) -> bool:
        """Return True if it was closed."""
        return self.closed

    def pause_reading(self) -> None:
        """Do nothing: nothing is read here."""

    def resume_reading(self) -> None:
        """Do nothing: nothing is read here."""


Connections = list[tuple[Connection, Wire]]


@contextmanager
def connected(app: ASGIApp, count: int = 1, access_log: bool = False) -> Iterator[Connections]:
    """Give connections to an application that uvicorn serves."""
    config = uvicorn.Config(app, log_config=None, access_log=access_log)
    config.load()
    state = uvicorn.server.ServerState()
    state.default_headers = [(b"date", b"today")]
    connections = []
    for _ in range(count):
        connection, wire = Connection(config, state, {}), Wire()
        connection.access_log = access_log
        connection.connection_made(wire)
        connections.append((connection, wire))
    yield connections
    for connection, _ in connections:
        connection.connection_lost(None)


@pytest.fixture
def app(tiny_models: Path) -> ASGIApp:
    """Build the application over the tiny models."""
    return create_app(Settings(models_dir=tiny_models, threads=1))


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Record the result of every call of `write_response`: True for each answer that it wrote."""
    results: list[bool] = []

    def record(*arguments: Any, **options: Any) -> bool:
        results.append(write_response(*arguments, **options))
        return results[-1]

    monkeypatch.setattr("app.server.gate.write_response", record)
    return results


def request(
    path: str = "/v1/models/tiny-ae/encode", method: str = "POST", body: bytes = ROW, more: str = "", http: str = "1.1"
) -> bytes:
    """Return the bytes of a request."""
    head = f"{method} {path} HTTP/{http}\r\nHost: here\r\nX-Request-ID: mine\r\n"
    return f"{head}Content-Length: {len(body)}\r\n{more}\r\n".encode() + body


def play(scenario: Callable[[Connections], Any], app: ASGIApp, count: int = 1, **options: Any) -> Any:
    """Run a scenario with connections and return its result."""

    async def played() -> Any:
        with connected(app, count, **options) as connections:
            return await asyncio.wait_for(scenario(connections), 10)

    return asyncio.run(played())


async def until(happened: Callable[[], bool]) -> None:
    """Wait for an event, and a little longer for events that should not follow it."""
    while not happened():
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)


def ask(app: ASGIApp, content: bytes, **options: Any) -> bytes:
    """Return the answer to one request, without the times in it."""

    async def scenario(connections: Connections) -> bytes:
        [(connection, wire)] = connections
        connection.data_received(content)
        await until(lambda: connection.cycle.response_complete)
        return wire.text

    answer: bytes = play(scenario, app, **options)
    return re.sub(rb"dur=\d+\.\d{3}", b"dur=?", answer)


def test_the_installed_uvicorn_is_a_known_version() -> None:
    assert uvicorn.__version__.startswith(KNOWN_VERSIONS)


@pytest.mark.parametrize("accept", ["application/json", "application/x-npy"])
def test_a_complete_answer_equals_the_answer_that_uvicorn_would_write(
    app: ASGIApp, accept: str, whole: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = request(more=f"Accept: {accept}\r\n")
    answer = ask(app, content)
    assert whole == [True]
    unknown = partial(write_response, uvicorn_version="0.53.0")
    monkeypatch.setattr(
        "app.server.gate.write_response", lambda *args, **options: whole.append(unknown(*args, **options))
    )
    assert ask(app, content) == answer
    assert whole == [True, False]
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
def test_answers_that_need_more_than_a_write_are_left_to_uvicorn(
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
    assert whole == [False]


def test_an_answer_waits_for_a_client_that_reads_slowly(app: ASGIApp, whole: list[bool]) -> None:
    async def scenario(connections: Connections) -> None:
        [(connection, wire)] = connections
        connection.pause_writing()
        connection.data_received(request())
        await until(lambda: bool(whole))
        assert (wire.written, whole) == ([], [False])
        connection.resume_writing()
        await until(lambda: connection.cycle.response_complete)
        assert wire.text.startswith(b"HTTP/1.1 200 OK\r\n")

    play(scenario, app)


def test_a_disconnected_client_gets_nothing(app: ASGIApp, whole: list[bool]) -> None:
    async def scenario(connections: Connections) -> None:
        [(connection, wire)] = connections
        connection.data_received(request())
        await asyncio.sleep(0)  # it waits for its run now
        connection.connection_lost(ConnectionError())
        await until(lambda: bool(whole) or not connection.tasks)
        assert (wire.written, whole) == ([], [False])

    play(scenario, app)


def test_concurrent_answers_use_one_write_each_except_the_last(app: ASGIApp, whole: list[bool]) -> None:
    async def scenario(connections: Connections) -> list[int]:
        for connection, _ in connections:
            connection.data_received(request())
        await until(lambda: all(connection.cycle.response_complete for connection, _ in connections))
        return [len(wire.written) for _, wire in connections]

    assert play(scenario, app, count=4) == [1, 1, 1, 2]
    assert whole == [True] * 4


def test_a_connection_stays_usable_after_a_complete_answer(app: ASGIApp, whole: list[bool]) -> None:
    async def scenario(connections: Connections) -> bytes:
        [(connection, wire)] = connections
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


def test_receive_reports_a_disconnect_after_a_complete_answer(app: ASGIApp, whole: list[bool]) -> None:
    async def scenario(connections: Connections) -> None:
        [(connection, _)] = connections
        connection.data_received(request())
        await asyncio.sleep(0)  # the body is read now, and the request waits for its run
        listener = asyncio.create_task(connection.cycle.receive())
        assert (await listener)["type"] == "http.disconnect"
        assert connection.cycle.response_complete

    play(scenario, app)
    assert whole == [True]


def test_a_client_that_expects_100_continue_gets_it(app: ASGIApp) -> None:
    async def scenario(connections: Connections) -> None:
        [(connection, wire)] = connections
        content = request(more="Expect: 100-continue\r\n")
        connection.data_received(content[: -len(ROW)])
        await until(lambda: bool(wire.written))
        assert wire.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
        connection.data_received(ROW)
        await until(lambda: connection.cycle.response_complete)
        assert wire.written[1].startswith(b"HTTP/1.1 200 OK\r\n")

    play(scenario, app)


class OtherServer:
    """A server that is not uvicorn."""

    async def send(self, message: Message) -> None:
        """Send nothing."""


async def send_of_a_middleware(message: Message) -> None:
    """Send nothing."""


@pytest.mark.parametrize("send", [send_of_a_middleware, OtherServer().send])
def test_nothing_is_written_unless_send_is_uvicorns_own(send: Send) -> None:
    assert write_response(send, [], b"", together=True) is False


@pytest.fixture(scope="module")
def tiny_server(tiny_models: Path) -> Iterator[str]:
    """Start a server and give its address."""
    with serving(models_dir=str(tiny_models)) as (_, address, _lines):
        yield address


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
        b"GET /livez HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST /v1/models/tiny-ae/encode HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_malformed_http_is_answered_with_a_problem_document(nonsense: bytes, tiny_server: str) -> None:
    host, port = tiny_server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(nonsense)
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    problem = json.loads(body)
    assert status == "HTTP/1.1 400 Bad Request"
    assert (problem["status"], problem["code"]) == (400, "malformed-request")
    assert problem["detail"] == problem["error"]
    assert headers["content-type"] == "application/problem+json"
    assert (headers["x-request-id"], headers["connection"]) == (problem["request_id"], "close")
    assert int(headers["content-length"]) == len(body)
