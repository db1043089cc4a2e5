"""Several workers: they drain together, are replaced, and end with their supervisor."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import tiny
from tests.helpers.load import PROBE, Load, ask
from tests.helpers.process import run, serving

SERVING = {"workers": "2", "log_level": "info"}


def children(pid: int) -> list[int]:
    """Return the workers of a supervisor."""
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in pids if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def starts(lines: list[str]) -> int:
    """Return the number of workers that have begun to serve."""
    return sum("startup complete" in line for line in lines)


def is_running(pid: int) -> bool:
    """Return True unless a process has ended, or waits only to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_signal_under_load_loses_no_request(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models), drain_seconds="0.3", **SERVING) as (process, address, lines):
        wait_until(lambda: starts(lines) == 2)
        outcomes = Load(address).end(process)
    assert outcomes["lost"] == 0
    assert set(outcomes) - {"lost"} == {"200"}
    assert "Traceback" not in "".join(lines)


def test_a_signal_to_the_whole_group_loses_no_request(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models), drain_seconds="0.3", **SERVING) as (process, address, lines):
        wait_until(lambda: starts(lines) == 2)
        load = Load(address)
        assert load.answered.wait(60)
        os.killpg(process.pid, signal.SIGINT)
        outcomes = load.wait()
        assert process.wait(timeout=30) == 0
    assert outcomes["lost"] == 0
    assert "Traceback" not in "".join(lines)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_ends_is_replaced(tiny_models: Path, number: int) -> None:
    with serving(models_dir=str(tiny_models), **SERVING) as (process, address, lines):
        wait_until(lambda: starts(lines) == 2)
        victim, other = children(process.pid)
        os.kill(victim, number)
        wait_until(lambda: starts(lines) == 3)
        assert other in children(process.pid)
        assert victim not in children(process.pid)
        assert ask(address, PROBE)[0].startswith(b"http/1.1 200")
    assert sum("worker ended and is replaced" in line for line in lines) == 1


def test_workers_end_with_a_killed_supervisor(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models), drain_seconds="60", **SERVING) as (process, address, lines):
        wait_until(lambda: starts(lines) == 2)
        workers = children(process.pid)
        process.kill()
        wait_until(lambda: not any(is_running(worker) for worker in workers))
        with pytest.raises(ConnectionRefusedError):
            ask(address, PROBE)


def test_every_worker_reloads(tmp_path: Path) -> None:
    tiny.write_version(tmp_path, "tiny-ae", 1)
    with serving(models_dir=str(tmp_path), reload_seconds="0", **SERVING) as (process, address, lines):
        wait_until(lambda: starts(lines) == 2)
        workers = children(process.pid)
        tiny.write_version(tmp_path, "tiny-ae", 2)
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: sum('"version": 2' in line for line in lines) == 2)
        assert children(process.pid) == workers
        assert ask(address, PROBE)[0].startswith(b"http/1.1 200")


def test_a_start_that_fails_is_one_sentence(tmp_path: Path) -> None:
    ended = run(models_dir=str(tmp_path), workers="2", port="0", log_level="error")
    assert ended.returncode == 1
    assert ended.stderr.startswith("hourglass: no valid model in")
    assert ended.stderr.count("\n") == 1


def test_a_signal_during_the_start_ends_all(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models), **SERVING) as (process, address, _):
        workers = children(process.pid)  # one serves, the other may not yet
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert not any(is_running(worker) for worker in workers)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 5)
