"""The first right answer of a server is awaited, and its CPU time read."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bench.serving import first_answer
from bench.serving.loads import JSON, Request
from bench.serving.processes import StartError, running
from bench.serving.servers import ROOT, Contender

ANSWERS = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    wrong = int(sys.argv[2])

    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def do_POST(self):
        Handler.wrong -= 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"latents": [[0.0 if Handler.wrong >= 0 else 1.0, 2.0]]}).encode())

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
LATENTS = np.array([[1.0, 2.0]], np.float32)
REQUEST = Request("/encode", b"{}", JSON)


def answering(wrong: int) -> Contender:
    """Return a server whose first answers are wrong."""
    return Contender("answers", lambda port, _: [sys.executable, "-c", ANSWERS, str(port), str(wrong)], lambda _: {})


def test_wrong_answers_are_passed_over(tmp_path: Path) -> None:
    with running(answering(2), tmp_path, min(os.sched_getaffinity(0))) as server:
        first_answer.await_answer(server, REQUEST, LATENTS)


def test_a_server_that_is_never_right_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_answer, "MAX_SECONDS", 0.5)
    with (
        running(answering(10**6), tmp_path, min(os.sched_getaffinity(0))) as server,
        pytest.raises(StartError, match="differs from onnxruntime by 1"),
    ):
        first_answer.await_answer(server, REQUEST, LATENTS)


def test_the_time_of_a_process_includes_all_of_its_threads() -> None:
    before = time.process_time()
    between = first_answer.process_seconds(os.getpid())
    assert before <= between <= time.process_time()


def test_each_checkout_runs_its_own_modules_with_bytecode() -> None:
    environment = first_answer.contender("/a/checkout", "/bytecode").environment
    assert environment["PYTHONPATH"] == "/a/checkout"
    assert environment["PYTHONPYCACHEPREFIX"] == "/bytecode"
    assert first_answer.contender(first_answer.FLOOR, "/bytecode").environment["PYTHONPATH"] == str(ROOT)
