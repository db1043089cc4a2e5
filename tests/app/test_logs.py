"""Log lines are JSON unless stderr is a terminal."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.helpers.metrics import scrape
from tests.helpers.process import environment, free_port, serving, wait_until_ready

PROGRAM = """
import logging, structlog
from app.logs import configure_logging
configure_logging("warning")
structlog.get_logger("ours").info("too mild")
structlog.get_logger("ours").warning("version skipped", model="tiny")
logging.getLogger("theirs").warning("line %d", 7)
"""


def test_lines_of_every_logger_are_json_from_the_level_on() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    ours, theirs = (json.loads(line) for line in ended.stderr.splitlines())
    assert (ours["event"], ours["model"], ours["level"], ours["logger"]) == (
        "version skipped",
        "tiny",
        "warning",
        "ours",
    )
    assert (theirs["event"], theirs["logger"]) == ("line 7", "theirs")
    assert ours["timestamp"].endswith("Z")
    assert ended.stdout == ""


def test_each_line_of_the_servers_log_is_a_json_object(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models)) as (_, address, lines):
        httpx.get(f"{address}/livez")
        events = [json.loads(line) for line in list(lines)]
        assert {"event", "level", "timestamp"} <= events[0].keys()
        assert "version loaded" in {event["event"] for event in events}


def test_a_line_is_written_for_each_request_and_none_for_probes(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models)) as (process, address, lines):
        httpx.get(f"{address}/livez")
        httpx.get(f"{address}/v1/models?secret=1")
        process.terminate()  # the line that is queued is written before the end
        process.wait(timeout=30)
        assert process.stderr is not None
    requests = [json.loads(line) for line in lines if '"request"' in line]
    assert [(line["route"], line["status"], line["bytes_in"]) for line in requests] == [("/v1/models", 200, 0)]
    assert requests[0]["timestamp"].endswith("Z")
    assert not any("secret" in line or "/livez" in line for line in lines)


def test_requests_have_no_lines_at_level_warning(tiny_models: Path) -> None:
    with serving_into_a_pipe(tiny_models, log_level="warning") as (address, read_end):
        assert httpx.get(f"{address}/v1/models").status_code == 200
        assert httpx.get(f"{address}/nowhere").status_code == 404
    assert os.read(read_end, 65536) == b""
    os.close(read_end)


@contextmanager
def serving_into_a_pipe(models: Path, **settings: str) -> Iterator[tuple[str, int]]:
    """Serve with stderr as a pipe that nobody reads; give the address and the end of the pipe to read from."""
    read_end, write_end = os.pipe()
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "app"],
        env=environment(models_dir=str(models), port=str(port), **settings),
        stderr=write_end,
        start_new_session=True,
    )
    os.close(write_end)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address)
        yield address, read_end
    finally:
        process.terminate()
        try:
            assert process.wait(timeout=20) == 0  # a log that is stuck does not stop the end, either
        finally:
            process.kill()


def read_until(descriptor: int, wanted: bytes) -> bytes:
    """Read until this has come."""
    text = b""
    while wanted not in text:
        text += os.read(descriptor, 65536)
    return text


def post_many(address: str, path: str, count: int) -> int:
    """Send requests to a model that does not exist on one connection, all at once, and count the answers."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 60) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode() * count)
        text = b""
        while text.count(b"HTTP/1.1 404") < count:
            received = connection.recv(65536)
            assert received, text
            text += received
    return text.count(b"HTTP/1.1 404")


def test_a_log_that_nobody_reads_does_not_stop_the_server(tiny_models: Path) -> None:
    with (
        serving_into_a_pipe(tiny_models) as (address, read_end),
        httpx.Client(base_url=address, timeout=10) as client,
    ):
        for _ in range(20):  # of 10 000 lines, the pipe holds some 200, and the queue 8192
            assert post_many(address, "/v1/models/nobody/encode", 500) == 500
        assert client.get("/livez").status_code == 200
        dropped = scrape(address)["hourglass_log_lines_dropped_total"]
        assert dropped > 1000
        text = read_until(read_end, b"log lines dropped")
        text += read_until(read_end, b"\n") if not text.endswith(b"\n") else b""
        notice = next(line for line in text.splitlines() if b"log lines dropped" in line)
        assert json.loads(notice)["level"] == "warning"
        assert json.loads(notice)["count"] == dropped
        assert all(json.loads(line) for line in text.splitlines()[:-1])
        read_until(read_end, b"/encode")  # a line that was queued: there is room for one more
        assert client.get("/after").status_code == 404
        read_until(read_end, b'"/after"')
    os.close(read_end)


def test_a_log_that_is_stuck_does_not_stop_the_end(tiny_models: Path) -> None:
    with (
        serving_into_a_pipe(tiny_models) as (address, read_end),
        httpx.Client(base_url=address) as client,
    ):
        for _ in range(500):
            assert client.get("/" + "x" * 100).status_code == 404
        begin = time.monotonic()
    assert time.monotonic() - begin < 15
    os.close(read_end)
