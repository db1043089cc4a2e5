"""Each request has one span, below that of its client, and one below it for each part of the work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import translate
from app.api.state import State
from app.main import build_app
from app.server.gate import EXCHANGE, Exchange, Gate
from app.server.lifecycle import Lifecycle
from app.server.traces.export import SpanExport
from app.server.traces.spans import Traces, parts
from app.settings import Settings
from app.times import RequestTimes
from tests.helpers.v1 import SAMPLE

ENCODE = "/v1/models/tiny-ae/encode"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


class Recorder:
    """Traces whose spans stay in memory."""

    def __init__(self, root_path: str = "") -> None:
        self._exporter = InMemorySpanExporter()
        self.traces = Traces(SpanExport("1.2.3", self._exporter), root_path)

    def spans(self) -> list[ReadableSpan]:
        """Return all spans, in the order in which they ended, and record no more."""
        self.traces.close()
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Return a recorder, and end its thread."""
    recorder = Recorder()
    yield recorder
    recorder.traces.close()


@pytest.fixture(scope="module")
def tasks(tiny_models: Path) -> ASGIApp:
    """Return an application over the tiny models, without a gate."""
    app: ASGIApp = build_app(State.load(Settings(models_dir=tiny_models))).app
    return app


def client_of(app: ASGIApp, recorder: Recorder) -> TestClient:
    """Return a client of a gate around an application."""
    gate = Gate(app, translate, Lifecycle(), traces=recorder.traces)
    return TestClient(gate, raise_server_exceptions=False)


def ids(span: ReadableSpan) -> tuple[str, str, str | None]:
    """Return the ids of a span's trace, of itself and of its parent."""
    context = span.get_span_context()
    assert context is not None
    parent = f"{span.parent.span_id:016x}" if span.parent else None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}", parent


def test_the_span_lies_below_that_of_the_client(tasks: ASGIApp, recorder: Recorder) -> None:
    answer = client_of(tasks, recorder).post(
        ENCODE,
        json={"samples": [SAMPLE]},
        headers=[("traceparent", SAMPLED), ("tracestate", "a=1"), ("tracestate", "b=2")],
    )
    *children, span = recorder.spans()
    trace, own, parent = ids(span)
    assert (span.name, span.kind, trace, parent) == ("POST /v1/models/{model}/encode", SpanKind.SERVER, TRACE, PARENT)
    assert [ids(child)[::2] for child in children] == [(TRACE, own)] * 4
    assert [child.name for child in children] == ["decode", "queue", "compute", "encode"]
    assert answer.headers["traceresponse"] == f"00-{TRACE}-{own}-01"
    context = span.get_span_context()
    assert context is not None
    assert context.trace_state.to_header() == "a=1,b=2"


def test_a_parent_of_a_later_version_is_taken_over(tasks: ASGIApp, recorder: Recorder) -> None:
    client_of(tasks, recorder).get("/v1/models", headers={"traceparent": f"01-{TRACE}-{PARENT}-01-more"})
    [span] = recorder.spans()
    assert (ids(span)[0], ids(span)[2]) == (TRACE, PARENT)


def test_the_parts_lie_within_their_request(tasks: ASGIApp, recorder: Recorder) -> None:
    header = client_of(tasks, recorder).post(ENCODE, json={"samples": [SAMPLE]}).headers["server-timing"]
    *children, span = recorder.spans()
    milliseconds = {part: float(value) for part, value in (item.split(";dur=") for item in header.split(", "))}
    marks = [
        span.start_time,
        *(time for child in children for time in (child.start_time, child.end_time)),
        span.end_time,
    ]
    numbers = [mark for mark in marks if mark is not None]
    assert numbers == sorted(numbers)
    for child in children:
        assert child.start_time is not None
        assert child.end_time is not None
        assert (child.end_time - child.start_time) / 1e6 == pytest.approx(milliseconds[child.name], abs=0.001)


def test_a_trace_that_is_not_sampled_has_an_id_and_no_span(tasks: ASGIApp, recorder: Recorder) -> None:
    answer = client_of(tasks, recorder).post(ENCODE, json={"samples": [SAMPLE]}, headers={"traceparent": UNSAMPLED})
    assert answer.headers["traceresponse"].startswith(f"00-{TRACE}-")
    assert answer.headers["traceresponse"].endswith("-00")
    assert recorder.spans() == []


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("traceparent", SAMPLED), ("traceparent", SAMPLED)],
        [("traceparent", SAMPLED.upper())],
        [("traceparent", f"00-{'0' * 32}-{PARENT}-01")],
        [("traceparent", f"ff-{TRACE}-{PARENT}-01")],
        [("traceparent", SAMPLED + "-more")],
        [("traceparent", "x" * 5000)],
    ],
)
def test_a_request_without_a_valid_parent_begins_a_trace(
    headers: list[tuple[str, str]], tasks: ASGIApp, recorder: Recorder
) -> None:
    answer = client_of(tasks, recorder).get("/v1/models", headers=headers)
    [span] = recorder.spans()
    trace, own, parent = ids(span)
    assert (parent, trace == TRACE) == (None, False)
    assert answer.headers["traceresponse"] in (f"00-{trace}-{own}-01", f"00-{trace}-{own}-03")


def test_a_trace_state_that_is_invalid_is_left_out(tasks: ASGIApp, recorder: Recorder) -> None:
    client_of(tasks, recorder).get(
        "/v1/models", headers={b"traceparent": SAMPLED.encode(), b"tracestate": b"a=1,\xe9=\x7f"}
    )
    [span] = recorder.spans()
    assert ids(span)[2] == PARENT


@pytest.mark.parametrize("root_path", ["", "/hourglass"])
def test_probes_have_no_span(root_path: str, tasks: ASGIApp) -> None:
    recorder = Recorder(root_path)
    client = client_of(tasks, recorder)
    for path in ("/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"):
        assert "traceresponse" not in client.get(root_path + path, headers={"traceparent": SAMPLED}).headers
    assert recorder.spans() == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/models/nobody/encode", 404, "unknown-model"),
        ("/v1/models/tiny-ae/encode?x=1", 422, "invalid-parameter"),
    ],
)
def test_a_refusal_is_not_an_error_of_the_server(
    path: str, status: int, code: str, tasks: ASGIApp, recorder: Recorder
) -> None:
    assert client_of(tasks, recorder).post(path, json={"samples": [SAMPLE]}).status_code == status
    [span] = recorder.spans()
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == status
    assert span.attributes["hourglass.error.code"] == code
    assert "error.type" not in span.attributes


def test_a_bug_is_an_error_without_its_text(recorder: Recorder) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("secret")

    assert client_of(broken, recorder).get("/x").status_code == 500
    [span] = recorder.spans()
    assert (span.name, span.status.status_code, span.status.description) == ("GET", StatusCode.ERROR, None)
    assert span.attributes is not None
    assert span.attributes["error.type"] == "internal-error"
    assert "secret" not in span.to_json()


def test_an_answer_that_is_broken_off_is_an_error(recorder: Recorder) -> None:
    async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise BrokenPipeError

    client_of(breaking, recorder).get("/x")
    [span] = recorder.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert (span.attributes["http.response.status_code"], span.attributes["error.type"]) == (200, "BrokenPipeError")


@pytest.mark.parametrize(
    ("cut_off", "status", "error"), [(False, None, "client-disconnected"), (True, 503, "shutting-down")]
)
def test_a_cancelled_request_ends_its_span(cut_off: bool, status: int | None, error: str, recorder: Recorder) -> None:
    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[EXCHANGE]
        exchange.route, exchange.task, exchange.model = "/r", "encode", SimpleNamespace(name="m", version=1)
        raise asyncio.CancelledError

    async def send(_: Message) -> None:
        """Take the answer."""

    async def receive() -> Message:
        raise AssertionError("nothing is received")

    lifecycle = Lifecycle()
    lifecycle.cut_off = cut_off
    gate = Gate(cancelled, translate, lifecycle, traces=recorder.traces)
    scope = {"type": "http", "method": "POST", "path": "/x", "http_version": "1.1", "headers": []}

    async def ask() -> None:
        try:
            await gate(scope, receive, send)
        except asyncio.CancelledError:
            assert not cut_off

    asyncio.run(ask())
    [span] = recorder.spans()
    assert (span.name, span.status.status_code) == ("POST /r", StatusCode.ERROR)
    assert span.attributes is not None
    assert (span.attributes.get("http.response.status_code"), span.attributes["error.type"]) == (status, error)


def times(**marks: float) -> RequestTimes:
    """Return the clock of a request."""
    clock = RequestTimes()
    vars(clock).update(start=1.0, **marks)
    return clock


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (
            times(received=2, decoded=3, queue=0.5, compute=1, computed=5, encoded=6),
            [("decode", 2, 3), ("queue", 3, 3.5), ("compute", 3.5, 4.5), ("encode", 5, 6)],
        ),
        (
            times(received=2, decoded=2, queue=0, compute=1, computed=3, encoded=4),
            [("decode", 2, 2), ("queue", 2, 2), ("compute", 2, 3), ("encode", 3, 4)],
        ),
        (  # several runs at once
            times(received=2, decoded=3, queue=6, compute=5, computed=6, encoded=7),
            [("decode", 2, 3), ("queue", 3, 6), ("compute", 3, 6), ("encode", 6, 7)],
        ),
        (times(received=2, decoded=3, queue=4), [("decode", 2, 3), ("queue", 3, 7)]),
        (times(received=2, decoded=2), []),
        (times(received=2), []),
        (times(), []),
    ],
    ids=["a run", "no body and no wait", "several runs", "expired in the queue", "refused", "undecoded", "no task"],
)
def test_the_parts_follow_each_other(clock: RequestTimes, expected: list[tuple[str, float, float]]) -> None:
    assert list(parts(clock, 8)) == expected
