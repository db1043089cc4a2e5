"""Connections: answers in one write, equal to those of uvicorn's `send`; offers of protocols; broken requests."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.main import create_app
from app.server.bounded import MAX_LINGER_BYTES
from app.server.connection import KNOWN_VERSIONS, Connection, write_response
from app.settings import Settings
from tests.helpers.process import run_shell, serving
from tests.helpers.wire import ask as ask_server
from tests.helpers.wire import connect

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

    def abort(self) -> None:
        """Ignore later writes."""
        self.closed = True

    def can_write_eof(self) -> bool:
        """Return True: the sending half can be closed."""
        return True

    def write_eof(self) -> None:
        """Do nothing: tests look at `closed`."""

    def get_write_buffer_size(self) -> int:
        """Return 0: everything is written at once."""
        return 0

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
    [answer] = ask_server(tiny_server, nonsense)
    problem = answer.problem()
    assert (answer.status, problem["status"], problem["code"]) == (400, 400, "malformed-request")
    assert problem["detail"] == problem["error"]
    assert (answer.headers["x-request-id"], answer.headers["connection"]) == (problem["request_id"], "close")
    assert answer.headers["x-content-type-options"] == "nosniff"


HEAD = b"POST /v1/models/tiny-ae/encode HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
GET = b"GET /livez HTTP/1.1\r\nHost: here\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(ROW)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ROW), ROW)
LAST = GET + b"Connection: close\r\n\r\n"
OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    "tls": b"Upgrade: TLS/1.0\r\nConnection: upgrade\r\n",
    "websocket": b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: AAAA\r\n",
}
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: here\r\n\r\n"
"""A body that would be a request if it was taken for one."""


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize(("framing", "body"), [(LENGTH, ROW), (CHUNKED, CHUNKS)], ids=["length", "chunked"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_offer_of_another_protocol_is_ignored(
    offer: bytes, framing: bytes, body: bytes, count: int, tiny_server: str
) -> None:
    head = HEAD + offer + framing
    segments = {
        1: [head + body + LAST],
        2: [head, body + LAST],
        3: [head[:-30], head[-30:] + body[:9], body[9:] + LAST],
    }
    encoded, live = ask_server(tiny_server, *segments[count])
    assert (encoded.status, live.status) == (200, 200)
    assert json.loads(encoded.content)["latents"]


@pytest.mark.parametrize("offer", [b"", OFFERS["h2c"]], ids=["plain", "h2c"])
def test_a_body_of_many_pieces_is_whole(offer: bytes, tiny_server: str) -> None:
    body = b" " * 1_000_000 + ROW
    content = HEAD + offer + b"Content-Length: %d\r\n\r\n" % len(body) + body
    answers = ask_server(tiny_server, content + content + LAST)
    assert [answer.status for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_offers_without_a_body_are_answered_in_turn(offer: bytes, tiny_server: str) -> None:
    answers = ask_server(tiny_server, (GET + offer + b"\r\n") * 3 + HEAD + offer + LENGTH + ROW + LAST)
    assert [answer.status for answer in answers] == [200] * 5


def test_a_body_behind_an_offer_is_never_a_request(tiny_server: str) -> None:
    head = HEAD + OFFERS["h2c"] + b"Content-Length: %d\r\n\r\n" % len(HIDDEN)
    for segments in ([head + HIDDEN + LAST], [head, HIDDEN + LAST]):
        refused, live = ask_server(tiny_server, *segments)
        assert (refused.status, refused.problem()["code"], live.status) == (400, "malformed-body", 200)


def test_a_deep_pipeline_of_offers_is_answered(tiny_server: str) -> None:
    answers = ask_server(tiny_server, (GET + OFFERS["tls"] + b"\r\n") * 500 + LAST)
    assert [answer.status for answer in answers] == [200] * 501


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"GET /%b HTTP/1.1\r\nHost: here\r\n\r\n" % (b"a" * 65_536), 414, "target-too-long"),
        (GET + b"A: %b\r\n\r\n" % (b"b" * 65_536), 431, "head-too-large"),
        (GET + b"%b: b\r\n\r\n" % (b"a" * 65_536), 431, "head-too-large"),
        (GET + b"A: b\r\n" * 100 + b"\r\n", 431, "head-too-large"),
        (HEAD + CHUNKED + b"0\r\n" + b"A: %b\r\n" % (b"b" * 140_000), 431, "head-too-large"),
        (HEAD + CHUNKED + b"1;%b\r\n" % (b"a" * 140_000), 431, "head-too-large"),
        (b"\r\n" * 40_000, 431, "head-too-large"),
        (b"GET /livez HTTP/1.1\r\n\r\n", 400, "malformed-request"),
        (GET + b"Host: there\r\n\r\n", 400, "malformed-request"),
        (GET + b"Host : there\r\n\r\n", 400, "malformed-request"),
        (GET + b"A: b\r\n folded\r\n\r\n", 400, "malformed-request"),
        (GET + b"A: b\nC: d\r\n\r\n", 400, "malformed-request"),
        (GET + b"A: b\rC: d\r\n\r\n", 400, "malformed-request"),
        (GET + b"A: b\x00\r\n\r\n", 400, "malformed-request"),
        (HEAD + b"Content-Length: 3\r\n" + CHUNKED, 400, "malformed-request"),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400, "malformed-request"),
        (HEAD + b"Content-Length: +3\r\n\r\n", 400, "malformed-request"),
        (HEAD + b"Content-Length: %b\r\n\r\n" % (b"0" * 5000), 400, "malformed-request"),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "unsupported-transfer-coding"),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n", 501, "unsupported-transfer-coding"),
        (HEAD + CHUNKED + b"0x3\r\n", 400, "malformed-request"),
        (HEAD + CHUNKED + b"3\nabc", 400, "malformed-request"),
        (HEAD + CHUNKED + b"3\r\nabcd\r\n", 400, "malformed-request"),
        (HEAD + CHUNKED + b"ffffffffffffffff1\r\n", 400, "malformed-request"),
        (b"GET /livez\r\n\r\n", 505, "unsupported-http-version"),
        (b"GET /livez HTTP/2.0\r\nHost: here\r\n\r\n", 505, "unsupported-http-version"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed-request"),
        (b"CONNECT there:443 HTTP/1.1\r\nHost: there:443\r\n\r\n", 400, "malformed-request"),
        (b"GET livez HTTP/1.1\r\nHost: here\r\n\r\n", 400, "malformed-request"),
    ],
)
def test_requests_that_break_the_protocol_are_refused(content: bytes, status: int, code: str, tiny_server: str) -> None:
    [answer] = ask_server(tiny_server, content)
    assert (answer.status, answer.problem()["code"], answer.headers["connection"]) == (status, code, "close")
    assert len(answer.content) < 600


@pytest.mark.parametrize(
    "content",
    [
        GET + b"A: %b\r\n" % (b"b" * 60_000),
        GET + b"A: b\r\n" * 97,
        b"GET http://there/livez HTTP/1.1\r\nHost: here\r\n",
        b"GET /livez HTTP/1.0\r\n",
    ],
)
def test_heads_within_the_limits_are_answered(content: bytes, tiny_server: str) -> None:
    assert [answer.status for answer in ask_server(tiny_server, content + b"Connection: close\r\n\r\n")] == [200]


def test_an_endless_head_is_refused_before_it_is_buffered(tiny_server: str) -> None:
    sent = 0
    with connect(tiny_server) as sock:
        sock.sendall(GET)
        with suppress(ConnectionError):
            while sent < 2**25:
                sent += sock.send(b"A: %b\r\n" % (b"b" * 2**16))
    assert sent < 2**24  # the server reads 1 MiB; the rest lies in the kernel


def test_trailers_do_not_become_headers(app: ASGIApp) -> None:
    scopes: list[Scope] = []

    async def keep_scope(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        scopes.append(scope)

    trailers = CHUNKS[:-2] + b"X-Late: here\r\n\r\n"
    assert ask(keep_scope, HEAD + CHUNKED + trailers).startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"x-late" not in dict(scopes[0]["headers"])


def test_earlier_requests_are_answered_before_a_refusal_closes(tiny_server: str) -> None:
    encoded, live = ask_server(tiny_server, HEAD + LENGTH + ROW + GET + b"\r\n" + b"nonsense\r\n\r\n")
    assert (encoded.status, live.status, live.headers["connection"]) == (200, 200, "close")


def test_a_malformed_body_is_refused_after_earlier_answers(tiny_server: str) -> None:
    encoded, refused = ask_server(tiny_server, HEAD + LENGTH + ROW + HEAD + CHUNKED + b"zz\r\n")
    assert (encoded.status, refused.status, refused.problem()["code"]) == (200, 400, "malformed-request")


def test_a_client_that_goes_on_after_a_refusal_is_cut_off(app: ASGIApp) -> None:
    async def scenario(connections: Connections) -> None:
        [(connection, wire)] = connections
        connection.data_received(b"nonsense\r\n\r\n")
        assert wire.text.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        connection.data_received(b"a" * MAX_LINGER_BYTES)
        assert not wire.closed
        connection.data_received(b"a" * 2**16)
        assert wire.closed

    play(scenario, app)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_gets_its_answer_although_it_offers_http2(tiny_server: str, tmp_path: Path) -> None:
    command = (
        f"curl --http2 --silent --fail -H 'Content-Type: application/json' -d '{ROW.decode()}' "
        f"{tiny_server}/v1/models/tiny-ae/encode"
    )
    assert json.loads(run_shell(command, tmp_path))["latents"]
