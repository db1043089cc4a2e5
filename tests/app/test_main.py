"""The command `hourglass` as a process: its start, its settings, its signals and its workers."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx

from tests.helpers.process import run, serving


def test_a_start_without_valid_models_fails_with_one_sentence(tmp_path: Path) -> None:
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


def wait_until_refused(host: str, port: int) -> None:
    """Wait until nothing listens any more."""
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


def test_several_workers_give_the_same_samples_for_a_seed(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models), workers="2") as (_, address, lines):
        deadline = time.monotonic() + 30
        while sum("startup complete" in line for line in lines) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert sum("startup complete" in line for line in lines) == 2
        with httpx.Client(limits=httpx.Limits(max_keepalive_connections=0)) as client:  # each may reach another worker
            answers = [client.post(f"{address}/v1/models/tiny-vae/generate?seed=3") for _ in range(12)]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
