"""The command `hourglass` as a process: its start, its settings, its signals and its workers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.helpers.process import environment, run, serving


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


def test_a_taken_port_is_one_sentence_before_models_are_loaded(tiny_models: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for workers in ("1", "2"):
            ended = run(models_dir=str(tiny_models), port=port, workers=workers)
            assert ended.returncode == 1
            assert ended.stderr == (
                f"hourglass: cannot listen on 127.0.0.1 port {port}: Address already in use; "
                "HOURGLASS_HOST and HOURGLASS_PORT set both\n"
            )


def signals_caught(pid: int) -> int:
    """Return the set of signals that a process has handlers for, as a mask."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("SigCgt:")[2].split()[0], 16)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_process_1_can_be_ended_before_its_imports(tiny_models: Path, number: int) -> None:
    """Process 1 of a container ignores signals that it has no handler for."""
    isolate = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    if shutil.which("unshare") is None or subprocess.run([*isolate, "true"], capture_output=True).returncode:
        pytest.skip("this system allows no namespaces")
    command = [*isolate, "--kill-child", sys.executable, "-m", "app"]
    settings = environment(models_dir=str(tiny_models), port="0")
    unmeasured = {name: value for name, value in settings.items() if not name.startswith("COVERAGE")}
    with subprocess.Popen(command, env=unmeasured) as outer:  # coverage would handle SIGTERM before the server does
        try:
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
            while not (pids := children.read_text().split()):
                assert outer.poll() is None
            while not signals_caught(int(pids[0])) >> (number - 1) & 1:
                assert outer.poll() is None
            loaded = Path(f"/proc/{pids[0]}/maps").read_text()
            os.kill(int(pids[0]), number)
            assert outer.wait(timeout=10) == 143
        finally:
            outer.kill()
    assert "numpy" not in loaded
    assert "pydantic" not in loaded


def test_variables_of_kubernetes_are_passed_over(tiny_models: Path) -> None:
    """A service `hourglass` in the same namespace sets them in the container."""
    with socket.create_server(("127.0.0.1", 8000)) as default:  # so that the default port shows in the error
        ended = run(
            models_dir=str(tiny_models),
            port="tcp://10.0.0.1:8000",
            service_host="10.0.0.1",
            service_port="8000",
            service_port_http="8000",
            port_8000_tcp="tcp://10.0.0.1:8000",
            port_8000_tcp_proto="tcp",
            port_8000_tcp_port="8000",
            port_8000_tcp_addr="10.0.0.1",
        )
        assert default.getsockname()[1] == 8000
    assert ended.returncode == 1
    assert "cannot listen on 127.0.0.1 port 8000" in ended.stderr
    assert "unknown setting" not in ended.stderr


def test_several_workers_give_the_same_samples_for_a_seed(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models), workers="2") as (process, address, lines):
        while sum("startup complete" in line for line in lines) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        with httpx.Client(limits=httpx.Limits(max_keepalive_connections=0)) as client:  # each may reach another worker
            answers = [client.post(f"{address}/v1/models/tiny-vae/generate?seed=3") for _ in range(12)]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1


def test_options_reach_all_workers(tiny_models: Path) -> None:
    arguments = ("serve", "--workers=2", "--max-rows", "1", "--models-dir", str(tiny_models), "--no-batching")
    with serving(*arguments, max_rows="2", workers="1", models_dir="missing") as (process, address, lines):
        while sum("startup complete" in line for line in lines) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        with httpx.Client(limits=httpx.Limits(max_keepalive_connections=0)) as client:  # each may reach another worker
            answers = [client.post(f"{address}/v1/models/tiny-vae/generate?count=2") for _ in range(12)]
    assert {answer.json()["code"] for answer in answers} == {"too-many-rows"}


def test_a_taken_port_names_the_option_that_was_typed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("--port", port)
    assert ended.returncode == 1
    assert ended.stderr.endswith("Address already in use; HOURGLASS_HOST and --port set both\n")
