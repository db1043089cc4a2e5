"""The command `hourglass` as a process: start, settings, signals."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from app.settings import Settings, unknown_variables
from tests.helpers.process import run, serving


def test_no_valid_model_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    ended = run(models_dir=str(tmp_path))
    assert ended.returncode == 1
    assert "hourglass: no valid model in" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_wrong_setting_is_named_with_its_value() -> None:
    ended = run(port="eighty", log_level="loud")
    assert ended.returncode == 1
    assert "HOURGLASS_PORT: Input should be a valid integer" in ended.stderr
    assert "got 'eighty'" in ended.stderr
    assert "HOURGLASS_LOG_LEVEL" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_misspelled_setting_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURGLASS_PROT", "80")
    monkeypatch.setenv("HOURGLASS_DATA_DIR", "/data")
    monkeypatch.setenv("HOURGLASS_PORT", "81")
    assert "HOURGLASS_PROT" in unknown_variables()
    assert not {"HOURGLASS_DATA_DIR", "HOURGLASS_PORT"} & set(unknown_variables())
    assert Settings().port == 81


def wait_until_refused(host: str, port: int) -> None:
    """Until nothing listens any more."""
    deadline = time.monotonic() + 30
    with suppress(ConnectionError):
        while time.monotonic() < deadline:
            socket.create_connection((host, port), 30).close()
        raise AssertionError(f"{host}:{port} still accepts connections")


def test_sigterm_loses_no_accepted_request(tiny_models: Path) -> None:
    body = b'{"samples": [[0.25, 0.75, 0.5, 0]]}'
    head = (
        b"POST /v1/models/tiny-ae/encode HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    with serving(models_dir=str(tiny_models)) as (process, address, _):
        host, port = address.removeprefix("http://").split(":")
        with ExitStack() as stack:
            connections = [stack.enter_context(socket.create_connection((host, int(port)), 30)) for _ in range(5)]
            for connection in connections:
                connection.sendall(head)
                assert connection.recv(100).startswith(b"HTTP/1.1 100")  # the application is reading the body
                connection.sendall(body[:10])
            process.send_signal(signal.SIGTERM)
            wait_until_refused(host, int(port))
            for connection in connections:
                connection.sendall(body[10:])
                answer = connection.makefile("rb").read()
                assert answer.startswith(b"HTTP/1.1 200")
                assert b'"latents":[[1.0,0.5]]' in answer
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
        b"GET /livez HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST /v1/models/tiny-ae/encode HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_answered_as_every_error(nonsense: bytes, tiny_server: str) -> None:
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


@pytest.fixture(scope="module")
def tiny_server(tiny_models: Path) -> Iterator[str]:
    """The address of a running server."""
    with serving(models_dir=str(tiny_models)) as (_, address, _lines):
        yield address


def test_several_workers_give_the_same_samples_for_a_seed(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models), workers="2") as (_, address, lines):
        deadline = time.monotonic() + 30
        while sum("startup complete" in line for line in lines) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert sum("startup complete" in line for line in lines) == 2
        answers = [httpx.post(f"{address}/v1/models/tiny-vae/generate?seed=3") for _ in range(12)]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1


def test_the_log_is_one_json_object_a_line(tiny_models: Path) -> None:
    import json

    with serving(models_dir=str(tiny_models)) as (_, address, lines):
        httpx.get(f"{address}/livez")
        events = [json.loads(line) for line in list(lines)]
        assert {"event", "level", "timestamp"} <= events[0].keys()
        assert "version loaded" in {event["event"] for event in events}
