"""A real server sends its traces to a collector, and is not disturbed by one that fails."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from app.server.guard.keys import key_line, new_key
from tests.helpers.collector import ERROR, UNSET, Collector, collecting
from tests.helpers.metrics import scrape
from tests.helpers.process import free_port, run, serving
from tests.helpers.v1 import LATENT, SAMPLE

ENCODE = "/v1/models/tiny-ae/encode"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Return a collector whose address is in the variables of the servers that the test starts."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        yield collector


def request_lines(log: list[str]) -> list[dict[str, object]]:
    """Return the lines of requests."""
    return [line for line in map(orjson.loads, log) if line["event"] == "request"]


def test_a_request_of_a_task_is_a_trace_of_five_spans(tiny_models: Path, collector: Collector) -> None:
    with serving(models_dir=str(tiny_models), traces="true") as (_, address, log):
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "seven", "user-agent": "test"}
        before = time.time()
        answer = httpx.post(address + ENCODE, json={"samples": [SAMPLE] * 2}, headers=headers)
        after = time.time()
        [span] = collector.requests(1)
    assert (span.name, span.trace_id, span.parent_id, span.status) == (
        "POST /v1/models/{model}/encode",
        TRACE,
        PARENT,
        UNSET,
    )
    host, port = address.removeprefix("http://").split(":")
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/models/{model}/encode",
        "http.response.status_code": 200,
        "http.request.body.size": len(answer.request.content),
        "http.response.body.size": len(answer.content),
        "url.path": ENCODE,
        "url.scheme": "http",
        "server.address": host,
        "server.port": int(port),
        "network.protocol.version": "1.1",
        "user_agent.original": "test",
        "hourglass.request_id": "seven",
        "hourglass.task": "encode",
        "hourglass.model.name": "tiny-ae",
        "hourglass.model.version": 2,
        "hourglass.rows": 2,
    }
    assert answer.headers["traceresponse"] == f"00-{TRACE}-{span.span_id}-01"
    assert before <= span.start <= span.end <= after + 0.5  # the answer may be read before its span ends
    children = collector.children(span)
    assert [child.name for child in children] == ["decode", "queue", "compute", "encode"]
    assert {child.trace_id for child in children} == {TRACE}
    assert all(span.start <= child.start <= child.end <= span.end for child in children)
    [line] = request_lines(log)
    assert line["trace_id"] == TRACE


def test_the_log_has_the_trace_that_the_server_began(tiny_models: Path, collector: Collector) -> None:
    with serving(models_dir=str(tiny_models), traces="true") as (_, address, log):
        for path in (ENCODE, "/v1/models/tiny-ae/decode"):
            httpx.post(address + path, json={"samples": [SAMPLE], "latents": [LATENT]})
        spans = collector.requests(2)
    assert [line["trace_id"] for line in request_lines(log)] == [span.trace_id for span in spans]
    assert len({span.trace_id for span in spans}) == 2
    assert [span.parent_id for span in spans] == ["", ""]


def test_refusals_have_spans_and_probes_have_none(tiny_models: Path, collector: Collector, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(key_line("someone", "inference", new_key()))
    settings = {"models_dir": str(tiny_models), "traces": "true", "keys_file": str(tmp_path / "keys")}
    with serving(**settings, root_path="/hourglass") as (_, address, _):
        for path in ("/livez", "/hourglass/readyz", "/metrics", "/hourglass/metrics"):
            httpx.get(address + path)
        assert httpx.post(f"{address}/hourglass{ENCODE}", json={"samples": [SAMPLE]}).status_code == 401
        [span] = collector.requests(1)
    assert (span.name, span.status) == ("POST", UNSET)  # the key is checked before the route is known
    assert span.attributes["url.path"] == f"/hourglass{ENCODE}"
    assert (span.attributes["http.response.status_code"], span.attributes["hourglass.error.code"]) == (
        401,
        "unauthorized",
    )


def test_hostile_requests_lose_no_span_of_others(tiny_models: Path, collector: Collector) -> None:
    with serving(models_dir=str(tiny_models), traces="true") as (_, address, log):
        hostile = [
            ("GET", "/%ff%00%ed%a0%80", {"user-agent": "\xff\x80".encode("latin-1")}),
            ("PROPFIND", "/v1/models", {"traceparent": b"\xff" * 600, "baggage": b"\xff" * 9000}),
            ("GET", "/", {"traceparent": f"00-{TRACE}-{PARENT}-01".encode(), "tracestate": b"\xff" * 600}),
            ("GET", "/", {"host": b"a:" + b"9" * 200}),
            ("POST", "/" + "a" * 40_000, {"content-length": b"0"}),
        ]
        for method, path, headers in hostile:
            httpx.request(method, address + path, headers={name.encode(): value for name, value in headers.items()})
        httpx.get(f"{address}/v1/models")
        spans = collector.requests(6)
    assert [span.name for span in spans[:2]] == ["GET", "HTTP /v1/models"]
    assert spans[1].attributes["http.request.method_original"] == "PROPFIND"
    assert (spans[2].trace_id, spans[2].trace_state) == (TRACE, "")
    assert len(str(spans[4].attributes["url.path"])) == 200
    assert spans[5].name == "GET /v1/models"
    assert not [line for line in log if "traces" in line]


def test_an_overloaded_server_has_an_error(tiny_models: Path, collector: Collector) -> None:
    with serving(models_dir=str(tiny_models), traces="true", max_queued_rows="1", max_connections="64") as (
        _,
        address,
        _,
    ):
        statuses: list[int] = []

        def ask() -> None:
            statuses.append(httpx.post(address + ENCODE, json={"samples": [SAMPLE] * 4000}).status_code)

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spans = collector.requests(12)
    by_status = {200: UNSET, 503: ERROR}
    assert sorted(span.attributes["http.response.status_code"] for span in spans) == sorted(statuses)
    for span in spans:
        status = span.attributes["http.response.status_code"]
        assert span.status == by_status[int(status)]
        assert span.attributes.get("error.type") == (None if status == 200 else "overloaded")


def test_two_workers_are_two_instances_of_one_service(tiny_models: Path, collector: Collector) -> None:
    with serving(models_dir=str(tiny_models), traces="true", workers="2") as (_, address, _):
        deadline = time.monotonic() + 60
        instances: set[object] = set()
        asked = 0
        while len(instances) < 2 and time.monotonic() < deadline:
            httpx.get(f"{address}/v1/models")
            asked += 1
            spans = collector.requests(asked)
            instances = {span.resource["service.instance.id"] for span in spans}
    assert len(instances) == 2
    assert {span.resource["service.name"] for span in spans} == {"hourglass"}
    assert len({span.span_id for span in spans}) == len({span.trace_id for span in spans}) == asked


def test_fastapi_adds_no_telemetry_of_its_own(
    tiny_models: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    with serving(models_dir=str(tiny_models), traces="true") as (process, address, _):
        httpx.get(f"{address}/v1/models")
        process.terminate()
        assert process.wait(10) == 0
    [span] = collector.requests(1)
    assert span.name == "GET /v1/models"
    assert collector.children(span) == []
    assert set(collector.paths) == {"/v1/traces"}


def test_the_last_spans_arrive_before_the_process_ends(
    tiny_models: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
    with serving(models_dir=str(tiny_models), traces="true") as (process, address, _):
        httpx.get(f"{address}/v1/models")
        process.terminate()
        assert process.wait(10) == 0
    assert [span.name for span in collector.requests(1)] == ["GET /v1/models"]


@contextmanager
def stuck_collector() -> Iterator[int]:
    """Listen on a port, take every connection, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connections.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


@contextmanager
def collector_that_is_down() -> Iterator[int]:
    """Give a port on which nothing listens."""
    yield free_port()


def wait_for_drops(address: str, count: int) -> float:
    """Return the spans that all workers dropped, once there are at least this many: each publishes once a second."""
    deadline = time.monotonic() + 30
    while (dropped := scrape(address)["hourglass_spans_dropped_total"]) < count and time.monotonic() < deadline:
        time.sleep(0.1)
    return dropped


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("failure", [stuck_collector, collector_that_is_down])
def test_a_collector_that_fails_disturbs_neither_requests_nor_the_end(
    failure: Callable[[], AbstractContextManager[int]], workers: str, tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"SCHEDULE_DELAY": "20", "MAX_QUEUE_SIZE": "8", "MAX_EXPORT_BATCH_SIZE": "8"}
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_BSP_{name}", value)
    with failure() as port:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        with serving(models_dir=str(tiny_models), traces="true", workers=workers) as (process, address, log):
            with httpx.Client(base_url=address) as client:
                for _ in range(100):
                    assert client.post(ENCODE, json={"samples": [SAMPLE]}).status_code == 200
            dropped = wait_for_drops(address, 400)  # of 500 spans; a queue holds 8, and 8 may be on their way
            begin = time.monotonic()
            process.terminate()
            assert process.wait(20) == 0
            assert time.monotonic() - begin < 6
    lines = [orjson.loads(line) for line in log]
    assert 400 <= dropped <= 500
    assert 1 <= sum(line.get("logger") == "app.server.traces.export" for line in lines) <= 3 * int(workers)
    assert not [line for line in lines if line.get("logger", "").startswith(("opentelemetry", "urllib3"))]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_without_traces_starts_whatever_the_variables_name(
    workers: str, tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_PROPAGATORS", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_SAMPLER"):
        monkeypatch.setenv(name, "another")
    with serving(models_dir=str(tiny_models), workers=workers) as (_, address, _):
        assert httpx.get(f"{address}/v1/models").status_code == 200


def test_a_propagator_that_is_not_installed_is_one_sentence(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PROPAGATORS", "b3")
    ended = run(models_dir=str(tiny_models), traces="true", port="0")
    message = "hourglass: OTEL_PROPAGATORS: expected tracecontext, baggage or none, got 'b3'\n"
    assert (ended.returncode, ended.stderr) == (1, message)


def test_a_server_without_traces_names_no_span(tiny_models: Path, collector: Collector) -> None:
    with serving(models_dir=str(tiny_models)) as (_, address, log):
        answer = httpx.get(f"{address}/v1/models", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        assert "hourglass_spans_dropped_total" not in scrape(address)
    assert "traceresponse" not in answer.headers
    assert request_lines(log)[0]["trace_id"] == TRACE
    assert collector.paths == []
