"""Each request has one line in the log, whose fields are bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from app.api.problems import translate
from app.api.state import State
from app.main import build_app
from app.server.gate import Gate
from app.server.guard.keys import key_line
from app.server.lifecycle import Lifecycle
from app.server.refusals import HeadTooLarge, Refusal
from app.server.request_log import RequestLog, client_trace_id, route_template
from app.settings import Settings
from tests.helpers.v1 import SAMPLE
from tests.helpers.v2 import infer, tensor

ENCODE = "/v1/models/tiny-ae/encode"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """Return the lines that the application under test has written; each test clears them."""
    return []


@pytest.fixture(scope="module")
def logged(tiny_models: Path, lines: list[dict[str, Any]]) -> TestClient:
    """Return a client of an application with a log."""
    inner = build_app(State.load(Settings(models_dir=tiny_models, max_rows=16)))
    gate = Gate(inner.app, translate, Lifecycle(), request_log=RequestLog(lines.append))
    return TestClient(gate, raise_server_exceptions=False)


@pytest.fixture(autouse=True)
def _cleared(lines: list[dict[str, Any]]) -> None:
    lines.clear()


def test_a_task_has_every_field(logged: TestClient, lines: list[dict[str, Any]]) -> None:
    answer = logged.post(f"{ENCODE}?sample=false", json={"samples": [SAMPLE] * 3}, headers={"x-request-id": "seven"})
    [line] = lines
    for part in ("decode_ms", "queue_ms", "compute_ms", "encode_ms", "total_ms"):
        assert 0 <= line.pop(part) < 5000
    assert line.pop("timestamp").tzinfo is not None
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "seven",
        "method": "POST",
        "route": "/v1/models/{model}/encode",
        "status": 200,
        "bytes_in": len(answer.request.content),
        "bytes_out": len(answer.content),
        "task": "encode",
        "model": "tiny-ae",
        "version": 2,
        "rows": 3,
    }


def test_the_times_are_those_of_server_timing(logged: TestClient, lines: list[dict[str, Any]]) -> None:
    header = logged.post(ENCODE, json={"samples": [SAMPLE]}).headers["server-timing"]
    for part in header.split(", "):
        name, milliseconds = part.split(";dur=")
        assert lines[0][f"{name}_ms"] == pytest.approx(float(milliseconds), abs=0.0011)


def test_an_infer_request_has_its_model_and_task(logged: TestClient, lines: list[dict[str, Any]]) -> None:
    infer(logged, "tiny-ae.decode", tensor("latents", [[1, 0.5]] * 2))
    [line] = lines
    assert (line["route"], line["model"], line["task"], line["rows"]) == (
        "/v2/models/{name}/infer",
        "tiny-ae",
        "decode",
        2,
    )


@pytest.mark.parametrize("path", ["/v1/models/tiny-vae/generate?count=3", "/v2/models/tiny-vae.generate/infer"])
def test_the_rows_of_a_task_without_input_are_those_of_its_answer(
    path: str, logged: TestClient, lines: list[dict[str, Any]]
) -> None:
    body = {"inputs": [], "parameters": {"count": 3}} if "v2" in path else None
    assert logged.post(path, json=body).status_code == 200
    assert lines[0]["rows"] == 3


def test_a_refusal_has_its_code(logged: TestClient, lines: list[dict[str, Any]]) -> None:
    logged.post(ENCODE, json={"samples": [[1]]})
    assert (lines[0]["status"], lines[0]["code"], lines[0]["model"]) == (422, "wrong-shape", "tiny-ae")


def test_a_body_without_an_announced_length_is_measured(logged: TestClient, lines: list[dict[str, Any]]) -> None:
    body = orjson.dumps({"samples": [SAMPLE]})
    logged.post(ENCODE, content=iter([body]), headers={"content-type": "application/json"})
    assert (lines[0]["status"], lines[0]["bytes_in"]) == (200, len(body))


def test_no_field_is_longer_than_its_bound(logged: TestClient, lines: list[dict[str, Any]]) -> None:
    headers = {"x-request-id": "x" * 5000, "traceparent": "y" * 5000, "content-length": "9" * 3000}
    logged.request("POST", f"/v1/models/tiny-ae/{'a' * 40_000}?{'secret' * 1000}", headers=headers)
    logged.post(f"/v1/models/{'b' * 40_000}/encode")
    unknown, model = lines
    assert unknown["path"] == "/v1/models/tiny-ae/" + "a" * 81
    assert unknown["route"] == "unknown"
    assert len(orjson.dumps(unknown)) < 500
    assert len(orjson.dumps(model)) < 500
    assert "secret" not in str(unknown)


def test_the_line_has_the_name_of_the_key(tiny_models: Path, tmp_path: Path, lines: list[dict[str, Any]]) -> None:
    keys = tmp_path / "keys"
    keys.write_text(key_line("alice", "inference", "hg_secret"))
    inner = build_app(State.load(Settings(models_dir=tiny_models, keys_file=keys)))
    client = TestClient(Gate(inner.app, translate, Lifecycle(), request_log=RequestLog(lines.append)))
    client.post(ENCODE, json={"samples": [SAMPLE]}, headers={"x-api-key": "hg_secret"})
    client.post(ENCODE, json={"samples": [SAMPLE]}, headers={"x-api-key": "hg_guess"})
    assert [(line["status"], line.get("key")) for line in lines] == [(200, "alice"), (401, None)]
    assert "hg_" not in str(lines)


def test_the_line_of_a_refusal_is_bounded(lines: list[dict[str, Any]]) -> None:
    RequestLog(lines.append).add_refusal(Refusal(HeadTooLarge("x" * 900), b"id-7", "M" * 900, "/" + "p" * 90_000))
    [line] = lines
    assert line.pop("timestamp").tzinfo is not None
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "id-7",
        "method": "M" * 20,
        "route": "unknown",
        "status": 431,
        "code": "head-too-large",
        "path": "/" + "p" * 99,
    }


def test_probes_are_quiet_unless_they_fail(tiny_models: Path, lines: list[dict[str, Any]]) -> None:
    state = State.load(Settings(models_dir=tiny_models))
    gate = Gate(build_app(state).app, lambda *_: None, Lifecycle(), request_log=RequestLog(lines.append))
    client = TestClient(gate)
    for path in ("/livez", "/metrics", "/v2/health/live"):
        assert client.get(path).status_code == 200
    assert lines == []
    for path in ("/readyz", "/v2/health/ready"):  # the application was not started
        assert client.get(path).status_code == 503
    assert [(line["route"], line["status"]) for line in lines] == [("/readyz", 503), ("/v2/health/ready", 503)]


def test_the_trace_of_a_request_is_in_its_line(logged: TestClient, lines: list[dict[str, Any]]) -> None:
    answer = logged.post(ENCODE, json={"samples": [SAMPLE]}, headers={"traceparent": PARENT})
    assert lines[0]["trace_id"] == TRACE
    assert "traceparent" not in answer.headers


@pytest.mark.parametrize(
    ("header", "valid"),
    [
        (PARENT, True),
        (f"01-{TRACE}-b7ad6b7169203331-01-more", True),
        (f"00-{TRACE}-b7ad6b7169203331-01-more", False),
        (f"ff-{TRACE}-b7ad6b7169203331-01", False),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (PARENT.upper(), False),
        (PARENT[:-1], False),
        ("", False),
    ],
)
def test_only_valid_traces_are_taken_over(header: str, valid: bool) -> None:
    assert client_trace_id([(b"traceparent", header.encode())]) == (TRACE if valid else None)


def test_two_parents_are_none(logged: TestClient, lines: list[dict[str, Any]]) -> None:
    logged.post(ENCODE, json={"samples": [SAMPLE]}, headers=[("traceparent", PARENT), ("traceparent", PARENT)])
    assert "trace_id" not in lines[0]


def test_requests_that_reach_no_route_have_no_template() -> None:
    assert route_template({"type": "http", "path": "/x"}) == "unknown"
