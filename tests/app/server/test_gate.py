"""Every answer has the id and the times of its request, and every error is a problem document."""

from __future__ import annotations

import asyncio
import gc
import re
import time
import weakref
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from app.arrays import Labels, Latents, Samples
from app.engine.autoencoder import Autoencoder
from app.errors import Overloaded, ServiceError
from app.main import build_app
from app.manifest import Manifest
from app.server.gate import EXCHANGE, Exchange, Gate
from app.server.lifecycle import Lifecycle
from app.server.problems import problem_type
from app.times import now
from tests.helpers.applications import state_over

TIMING = re.compile(
    r"decode;dur=(\d+\.\d{3}), queue;dur=(\d+\.\d{3}), compute;dur=(\d+\.\d{3}), encode;dur=(\d+\.\d{3}), "
    r"total;dur=(\d+\.\d{3})"
)
ENCODE = "/v1/models/tiny-ae/encode"
BODY = {"samples": [[0.25, 0.75, 0.5, 0]]}
REQUESTS = [
    ("POST", ENCODE, BODY, 200),
    ("POST", "/v1/models/tiny-ae/versions/1/encode", BODY, 200),
    ("POST", ENCODE, {"samples": []}, 422),
    ("POST", "/v1/models/nobody/encode", BODY, 404),
    ("POST", "/v1/models/tiny-vae/generate?seed=x", None, 422),
    ("GET", "/v1/models", None, 200),
    ("GET", "/v1/models/nobody", None, 404),
    ("GET", "/nowhere", None, 404),
    ("DELETE", "/v1/models", None, 405),
    ("GET", "/livez", None, 200),
    ("GET", "/openapi.json", None, 200),
    ("GET", "/docs", None, 200),
    ("GET", "/docs/assets/swagger-ui.css", None, 200),
    ("GET", "/docs/assets/nothing.css", None, 404),
    ("GET", "/favicon.ico", None, 200),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), REQUESTS)
def test_every_answer_has_an_id_and_times(method: str, path: str, body: Any, status: int, client: TestClient) -> None:
    answer = client.request(method, path, json=body)
    assert answer.status_code == status
    ids, times = answer.headers.get_list("x-request-id"), answer.headers.get_list("server-timing")
    assert (len(ids), len(times)) == (1, 1)
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", ids[0])
    assert TIMING.fullmatch(times[0])
    if status >= 400:
        assert answer.headers["content-type"] == problem_type(path)
        assert answer.json()["request_id"] == ids[0]
        assert {"type", "title", "status", "code", "detail", "error"} < answer.json().keys()
    assert client.request(method, path, json=body).headers["x-request-id"] != ids[0]


def test_a_valid_id_of_the_client_is_kept(client: TestClient) -> None:
    for path, chosen in ((ENCODE, "abc-123/4:5"), ("/nowhere", "x" * 128)):
        answer = client.post(path, json=BODY, headers={"x-request-id": chosen})
        assert answer.headers["x-request-id"] == chosen
        if answer.is_error:
            assert answer.json()["request_id"] == chosen


@pytest.mark.parametrize("chosen", ["", " ", "a b", 'a"b', "x" * 129, "-a", "\xe9", "a;b", "a,b"])
def test_an_unsafe_id_of_the_client_is_replaced(chosen: str, client: TestClient) -> None:
    answer = client.post("/nowhere", headers={"x-request-id": chosen.encode("latin-1")})
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", answer.headers["x-request-id"])


def seconds(answer: httpx.Response) -> dict[str, float]:
    """Return the seconds of each part of Server-Timing, by name."""
    parts = [part.split(";dur=") for part in answer.headers["server-timing"].split(", ")]
    return {name: float(milliseconds) / 1e3 for name, milliseconds in parts}


class SlowEncoder(Autoencoder):
    """An autoencoder whose `encode` takes 50 ms."""

    def run_mean(self, samples: Samples, labels: Labels | None = None) -> tuple[Latents]:
        """Return the latents, late."""
        time.sleep(0.05)
        return super().run_mean(samples, labels)


def test_the_compute_time_is_the_time_of_the_run(tiny_models: Path) -> None:
    folder = tiny_models / "tiny-ae" / "2"
    with TestClient(build_app(state_over(SlowEncoder.open(folder, Manifest.read(folder))))) as client:
        times = seconds(client.post(ENCODE, json=BODY))
    assert times["compute"] >= 0.05
    assert max(times["decode"], times["encode"]) < 0.05
    assert times["total"] >= sum(times[part] for part in ("decode", "queue", "compute", "encode"))


def translate(_: Scope, error: Exception) -> ServiceError | None:
    """Translate only LookupError."""
    return Overloaded("busy", headers={"Retry-After": "7"}) if isinstance(error, LookupError) else None


def answers(error: Exception | None = None, begin: bool = False) -> list[Message]:
    """Return the messages of a gate whose application begins an answer, or does not, and then raises an error."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begin:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
        if error:
            raise error
        exchange: Exchange = scope[EXCHANGE]
        times = exchange.times
        times.start = now() - 1
        times.received, times.decoded, times.computed, times.encoded = 1.0, 1.002, 1.25, 1.2515
        times.queue, times.compute = 0.003, 0.1
        await exchange.respond([(b"content-length", b"2")], b"ok")

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [(b"x-request-id", b"seven")]}
    asyncio.run(Gate(app, translate, Lifecycle())(scope, receive, send))
    return sent


@pytest.mark.parametrize("error", [None, Overloaded("busy")])
def test_a_request_that_is_over_is_freed_without_the_garbage_collector(
    error: Exception | None,
) -> None:
    requests: list[weakref.ref[Exchange]] = []

    class Connection:
        scope: Scope

        async def send(self, message: Message) -> None:
            """Lead from the request to its scope, as uvicorn does."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        requests.append(weakref.ref(scope[EXCHANGE]))
        if error:
            raise error
        await scope[EXCHANGE].respond([(b"content-length", b"2")], b"ok")

    async def play() -> None:
        connection = Connection()
        connection.scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
        await Gate(app, translate, Lifecycle())(connection.scope, None, connection.send)  # type: ignore[arg-type]

    gc.disable()
    try:
        asyncio.run(play())
        assert [request() for request in requests] == [None]
    finally:
        gc.enable()


def test_a_complete_answer_has_the_headers_of_the_gate() -> None:
    head, body = answers()
    assert (head["status"], body["body"]) == (200, b"ok")
    assert [name for name, _ in head["headers"]] == [
        b"content-length",
        b"x-request-id",
        b"server-timing",
        b"x-content-type-options",
    ]
    assert dict(head["headers"])[b"x-request-id"] == b"seven"


def test_server_timing_has_the_parts_in_milliseconds() -> None:
    head, _ = answers()
    timing = TIMING.fullmatch(dict(head["headers"])[b"server-timing"].decode())
    assert timing is not None
    *parts, total = map(float, timing.groups())
    assert parts == [2, 3, 100, 1.5]
    assert total == pytest.approx(1000, abs=200)


def test_an_error_of_the_framework_is_translated() -> None:
    head, body = answers(KeyError("x"))
    assert head["status"] == 503
    assert dict(head["headers"])[b"retry-after"] == b"7"
    assert dict(head["headers"])[b"content-length"] == b"%d" % len(body["body"])
    assert b'"code":"overloaded"' in body["body"]
    assert b'"request_id":"seven"' in body["body"]


def test_the_text_of_a_bug_goes_to_the_log_and_not_to_the_client() -> None:
    with capture_logs() as lines:
        head, body = answers(RuntimeError("secret text"))
    assert head["status"] == 500
    assert b"internal-error" in body["body"]
    assert b"secret" not in body["body"]
    assert [(str(line["exc_info"]), line["request_id"], line["path"]) for line in lines] == [
        ("secret text", "seven", "/x")
    ]


def test_an_error_after_the_answer_has_begun_is_raised() -> None:
    with pytest.raises(KeyError):
        answers(KeyError("x"), begin=True)


def test_other_scopes_pass_untouched() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        scopes.append(scope)

    scope = {"type": "lifespan"}
    asyncio.run(Gate(app, translate, Lifecycle())(scope, None, None))  # type: ignore[arg-type]
    assert scopes == [{"type": "lifespan"}]


def test_the_text_of_a_bug_in_a_task_stays_in_the_log(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret text")

    monkeypatch.setattr("app.engine.served.ServedModel.encode", broken)
    with capture_logs() as lines:
        response = client.post(ENCODE, json=BODY)
    assert (response.status_code, response.json()["code"]) == (500, "internal-error")
    assert "secret" not in response.text
    assert [str(line["exc_info"]) for line in lines] == ["secret text"]
