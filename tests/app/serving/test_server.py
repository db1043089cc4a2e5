"""The end of one serving process: it drains, answers everything, and cuts off what takes too long."""

from __future__ import annotations

import json
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.helpers import tiny
from tests.helpers.load import PROBE, READY, Load, ask, connect, read_answer
from tests.helpers.process import serving
from tests.helpers.stuck import POISON, SLOW_STEPS, write_stuck


def post(body: bytes, length: int | None = None, model: str = "tiny-ae") -> bytes:
    """Return a request to encode a JSON body, of which only a part may follow."""
    return (
        b"POST /v1/models/%b/encode HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (model.encode(), length or len(body), body)
    )


def test_a_draining_server_answers_but_is_not_ready(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models), drain_seconds="60", shutdown_seconds="5") as (process, address, lines):
        with connect(address) as kept, connect(address) as silent:
            kept.sendall(READY)
            head, _ = read_answer(kept)
            assert head.startswith(b"http/1.1 200")
            assert b"connection:" not in head
            process.send_signal(signal.SIGTERM)
            while ask(address, READY)[0].startswith(b"http/1.1 200"):
                pass
            kept.sendall(READY)
            head, body = read_answer(kept)
            assert (head[9:12], json.loads(body)) == (b"503", {"status": "not ready"})
            assert b"\r\nconnection: close" in head
            assert kept.recv(100) == b""
            head, body = ask(address, post(b'{"samples": [[0.25, 0.75, 0.5, 0]]}'))
            assert (head[9:12], json.loads(body)["latents"]) == (b"200", [[1.0, 0.5]])
            assert head.count(b"\r\nconnection: close") == 1
            ready = ask(address, READY.replace(b"/readyz", b"/v2/health/ready"))
            assert ready[0][9:12] == b"503"
            process.send_signal(signal.SIGTERM)  # the second signal ends the drain
            silent.sendall(PROBE)  # its first request, after the drain or just before its end
            assert read_answer(silent)[1] == b'{"status":"ok"}'
        assert process.wait(timeout=30) == 0
    assert sum('"event": "draining"' in line for line in lines) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_under_load_loses_no_request(tiny_models: Path, number: int) -> None:
    with serving(models_dir=str(tiny_models), drain_seconds="0.3") as (process, address, lines):
        load = Load(address)
        assert load.answered.wait(60)
        process.send_signal(number)
        outcomes = load.wait()
        assert process.wait(timeout=30) == 0
    assert outcomes["lost"] == 0
    assert set(outcomes) - {"lost"} == {"200"}
    assert "Traceback" not in "".join(lines)


def test_a_request_that_is_cut_off_gets_a_problem_document(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models), shutdown_seconds="1") as (process, address, lines):
        with connect(address) as connection:
            connection.sendall(post(b'{"samples": ', length=100))
            process.send_signal(signal.SIGTERM)
            head, body = read_answer(connection)
        assert head.startswith(b"http/1.1 503")
        assert b"\r\nretry-after: 1\r\n" in head
        assert b"\r\nconnection: close" in head
        assert json.loads(body)["code"] == "shutting-down"
        assert process.wait(timeout=30) == 0
    log = "".join(lines)
    assert "Traceback" not in log
    assert '"event": "requests cut off"' in log


def test_a_request_whose_body_is_on_its_way_is_answered(tiny_models: Path) -> None:
    body = b'{"samples": [[0.25, 0.75, 0.5, 0]]}'
    with ExitStack() as stack:
        process, address, _ = stack.enter_context(serving(models_dir=str(tiny_models)))
        connections = [stack.enter_context(connect(address)) for _ in range(5)]
        for connection in connections:
            connection.sendall(post(body[:10], length=len(body)))
        process.send_signal(signal.SIGTERM)
        with suppress(OSError):
            while True:
                connect(address, 5).close()
        for connection in connections:
            connection.sendall(body[10:])
            head, answer = read_answer(connection)
            assert (head[9:12], json.loads(answer)["latents"]) == (b"200", [[1.0, 0.5]])
        assert process.wait(timeout=30) == 0


def test_idle_connections_do_not_delay_the_end(tiny_models: Path) -> None:
    with ExitStack() as stack:
        process, address, _ = stack.enter_context(serving(models_dir=str(tiny_models)))
        idle, silent, unfinished = (stack.enter_context(connect(address)) for _ in range(3))
        idle.sendall(PROBE)
        read_answer(idle)
        unfinished.sendall(PROBE[:20])
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert time.monotonic() - start < 15  # 30 s are allowed for requests
        assert (idle.recv(100), silent.recv(100)) == (b"", b"")


@pytest.mark.parametrize("steps", [0, SLOW_STEPS], ids=["on the event loop", "on a thread"])
def test_a_process_with_a_stuck_run_ends(tmp_path: Path, steps: int) -> None:
    """The last resort, if nothing else ends the run."""
    write_stuck(tmp_path, steps=steps)
    body = json.dumps({"samples": [[POISON, 0, 0, 0]]}).encode()
    with ExitStack() as stack:
        server = serving(models_dir=str(tmp_path), threads="1", shutdown_seconds="0")
        process, address, lines = stack.enter_context(server)
        connection = stack.enter_context(connect(address))
        connection.sendall(post(body, model="stuck"))
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        if steps:
            assert ask(address, PROBE)[0].startswith(b"http/1.1 200")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert "ended without waiting for threads" in "".join(lines)


def test_sighup_loads_a_new_version(tmp_path: Path) -> None:
    tiny.write_version(tmp_path, "tiny-ae", 1)
    with serving(models_dir=str(tmp_path), reload_seconds="0") as (process, address, lines):
        tiny.write_version(tmp_path, "tiny-ae", 2)
        process.send_signal(signal.SIGHUP)
        while not any('"version loaded"' in line and '"version": 2' in line for line in lines):
            assert ask(address, PROBE)[0].startswith(b"http/1.1 200")


def test_other_signals_do_nothing(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models)) as (process, address, _lines):
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
            process.send_signal(number)
        assert ask(address, PROBE)[0].startswith(b"http/1.1 200")
        assert ask(address, READY)[0].startswith(b"http/1.1 200")
