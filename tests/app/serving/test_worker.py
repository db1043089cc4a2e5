"""A worker answers its supervisor while it loads models, and ends with it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os
import threading
from multiprocessing import Pipe
from app.serving.worker import MAX_MESSAGE_BYTES, Supervision

def say(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())  # one write, since two threads say something

class Server:
    def drain(self, seconds):
        say("drain", seconds)
    def end(self):
        say("end")
    def ask_reload(self):
        say("reload")

ours, theirs = Pipe()
supervision = Supervision(theirs)
ours.send_bytes(b"ping")
say(ours.recv_bytes())
ours.send_bytes(b"reload")
if {serving}:
    ours.send_bytes(b"ping")
    ours.recv_bytes()
    supervision.server = Server()
for message in {messages}:
    ours.send_bytes(message)
supervision.send(b"x" * 2 * MAX_MESSAGE_BYTES)
say(len(ours.recv_bytes()) == MAX_MESSAGE_BYTES)
ours.close()
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
say("over")
"""


def run(serving: bool, *messages: bytes) -> tuple[int, list[str]]:
    """Send messages to a worker, then end its supervisor; return the exit code and what its server was asked."""
    program = PROGRAM.format(serving=serving, messages=messages)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    return ended.returncode, ended.stdout.splitlines()


def test_a_serving_worker_does_what_its_supervisor_asks() -> None:
    code, lines = run(True, b"reload", b"drain", b"end", b"unknown")
    asked = [line for line in lines if line.split()[0] in ("reload", "drain", "end", "over")]
    assert code == 0
    assert asked == ["reload", "drain inf", "end", "end", "over"]  # and once more, since the supervisor is gone


def test_a_worker_that_loads_models_ends_with_its_supervisor() -> None:
    code, lines = run(False)
    assert (code, lines) == (1, ["b'pong'", "True"])


def test_a_worker_that_loads_models_ends_at_once() -> None:
    code, lines = run(False, b"drain")
    assert code == 0
    assert "over" not in lines
