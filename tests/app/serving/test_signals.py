"""Signals reach the server on a thread, even while the main thread is stuck."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

PROGRAM = """
import ctypes, os, sys
from app.serving.signals import SignalThread

class Server:
    def advance(self, force):
        print("advance", force, flush=True)
        if force:
            os._exit(0)
    def ask_reload(self):
        print("reload", flush=True)

signals = SignalThread()
if sys.argv[1:]:
    signals.server = Server()
print("stuck", flush=True)
ctypes.CDLL(None).sleep(60)  # in C: no signal handler of Python can run
"""


@contextmanager
def stuck_process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Start a process whose main thread is stuck; give it and its output."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stuck\n"
        yield process, process.stdout
        assert process.wait(timeout=20) >= 0


def test_each_signal_has_its_meaning() -> None:
    with stuck_process("serving") as (process, output):
        for number, line in (
            (signal.SIGHUP, "reload"),
            (signal.SIGTERM, "advance False"),
            (signal.SIGQUIT, "advance False"),
        ):
            process.send_signal(signal.SIGUSR1)
            process.send_signal(signal.SIGUSR2)
            process.send_signal(number)
            assert output.readline() == f"{line}\n"
        process.send_signal(signal.SIGINT)
        assert output.read() == "advance True\n"
    assert process.returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGQUIT, 131)])
def test_a_process_that_does_not_serve_yet_ends_at_once(number: int, code: int) -> None:
    with stuck_process() as (process, output):
        process.send_signal(signal.SIGHUP)
        process.send_signal(number)
        assert output.read() == ""
    assert process.returncode == code
