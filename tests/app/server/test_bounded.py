"""Refusals of connections are counted and logged; long pipelines are answered in order."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.metrics import scrape
from tests.helpers.process import serving
from tests.helpers.wire import ask, connect, read_answers

HOST = b"Host: here\r\n"
GET = b"GET /livez HTTP/1.1\r\n" + HOST
POST = b"POST /v1/models/tiny-ae/encode?secret=1 HTTP/1.1\r\n" + HOST
REFUSALS = {
    "malformed-request": (400, b"GET /" + b"a" * 3000 + b"?secret HTTP/1.1\r\n\r\n"),
    "target-too-long": (414, b"GET /" + b"a" * 70_000),
    "head-too-large": (431, GET + b"A: " + b"a" * 70_000),
    "unsupported-transfer-coding": (501, POST + b"Transfer-Encoding: br\r\n\r\n"),
    "unsupported-http-version": (505, b"GET /livez HTTP/2.0\r\n" + HOST + b"\r\n"),
}


def lines_of(log: list[str], request_id: str) -> list[dict[str, Any]]:
    """Return the lines of a request, once there is one."""
    deadline = time.monotonic() + 10
    while not (found := [json.loads(line) for line in list(log) if f'"{request_id}"' in line]):
        assert time.monotonic() < deadline, f"no line in the log: {request_id}"
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refused_head_has_a_line_and_a_count(tiny_models: Path, code: str) -> None:
    status, content = REFUSALS[code]
    with serving(models_dir=str(tiny_models)) as (_, address, log):
        [answer] = ask(address, content)
        assert (answer.status, answer.problem()["code"]) == (status, code)
        [line] = lines_of(log, answer.problem()["request_id"])
        samples = scrape(address)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["event"], line["route"], line["status"], line["code"]) == ("request", "unknown", status, code)
    assert len(json.dumps(line)) < 500
    assert "secret" not in str(line)
    assert samples[f'hourglass_requests_total{{code="{status}",route="unknown"}}'] == 1
    assert samples[f'hourglass_refusals_total{{reason="{code}"}}'] == 1


def test_slow_requests_and_connections_too_many_are_counted_once(tiny_models: Path) -> None:
    limits = {"head_seconds": "0.5", "body_seconds": "0.5", "max_connections": "2"}
    with serving(models_dir=str(tiny_models), **limits) as (_, address, log):
        slow = [GET, POST.replace(b"?secret=1", b"") + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"]
        answers = [ask(address, content)[0] for content in slow]
        with connect(address), connect(address):
            answers += ask(address)
        lines = [lines_of(log, answer.problem()["request_id"]) for answer in answers]
        samples = scrape(address)
    assert [answer.status for answer in answers] == [408, 408, 503]
    assert [len(found) for found in lines] == [1, 1, 1]
    head, body, connection = (found[0] for found in lines)
    assert (head["method"], head["path"], head["route"]) == ("GET", "/livez", "unknown")
    assert (body["route"], body["model"], body["code"]) == ("/v1/models/{model}/encode", "tiny-ae", "request-timeout")
    assert (connection["code"], connection["method"], connection["path"]) == ("overloaded", "", "")
    assert samples['hourglass_refusals_total{reason="request-timeout"}'] == 2
    assert samples['hourglass_refusals_total{reason="overloaded"}'] == 1
    assert not [key for key in samples if 'code="400"' in key]  # the body that did not come is not malformed as well


def test_a_pipeline_of_thousands_is_answered_in_order(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models)) as (_, address, _log), connect(address) as sock:
        first = b"POST /v1/models/tiny-vae/generate?count=4096 HTTP/1.1\r\nContent-Length: 0\r\n" + HOST + b"\r\n"
        requests = [b"GET /livez HTTP/1.1\r\nX-Request-ID: r%d\r\n%b\r\n" % (number, HOST) for number in range(5000)]
        sender = threading.Thread(target=sock.sendall, args=(first + b"".join(requests),))
        sender.start()
        answers = read_answers(sock, 5001)
        sender.join()
        assert scrape(address)["hourglass_held_bytes"] == 0
    assert [answer.status for answer in answers] == [200] * 5001
    assert [answer.headers["x-request-id"] for answer in answers[1:]] == [f"r{number}" for number in range(5000)]
