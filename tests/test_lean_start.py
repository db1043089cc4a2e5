"""A server that is ready has loaded only what its first answers need."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.process import environment

ROOT = Path(__file__).parent.parent

UNNEEDED = (
    "app.api.docs",
    "app.api.health",
    "app.api.routes",
    "app.api.v1.routes",
    "app.api.v1.schemas",
    "app.api.v2.grpc",
    "app.api.v2.routes",
    "app.api.v2.schemas",
    "app.commands",
    "app.importing",
    "email_validator",
    "fastapi",
    "grpc",
    "httpx",
    "jinja2",
    "limits",
    "markdown_it",
    "matplotlib",
    "onnx",
    "opentelemetry",
    "pygments",
    "rich",
    "scipy",
    "skimage",
    "sklearn",
    "starlette.applications",
    "starlette.routing",
    "torch",
    "training",
    "watchfiles",
    "websockets",
    "yaml",
)
"""Modules that a start must not import: what the document, its pages and other commands need."""

PROGRAM = """
import gc, json, os, socket, sys, threading, time

models, port = sys.argv[1:]
body = b'{"samples": [[0.25, 0.75, 0.5, 0]]}'
REQUESTS = [
    b"GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n",
    b"POST /v1/models/tiny-ae/encode HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
    b"Content-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n%b" % (len(body), body),
]

def ask(request):
    while True:
        if hasattr(sys.modules.get("app.main"), "LOAD_SECONDS"):
            sys.modules["app.main"].LOAD_SECONDS = 3600.0  # a slow machine shall not reach it
        try:
            with socket.create_connection(("127.0.0.1", int(port))) as wire:
                wire.sendall(request)
                return b"".join(iter(lambda: wire.recv(65536), b"")).partition(b"\\r\\n")[0].decode()
        except OSError:
            time.sleep(0.01)

def look():
    answers = [ask(request) for request in REQUESTS]
    facts = {"answers": answers, "modules": sorted(name for name, module in sys.modules.items() if module),
             "collector": gc.isenabled(), "frozen": gc.get_freeze_count()}
    print(json.dumps(facts), flush=True)
    os._exit(0)

threading.Thread(target=look, daemon=True).start()
from app.__main__ import main
sys.exit(main(["--models-dir", models, "--port", port]))
"""
"""Starts the server, and prints what is loaded after its first answers."""


@cache
def started(models: Path) -> dict[str, Any]:
    """Return what the program prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-c", PROGRAM, str(models), port]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=60)
    assert ended.returncode == 0, ended.stderr
    facts: dict[str, Any] = json.loads(ended.stdout)
    return facts


@pytest.mark.parametrize("module", UNNEEDED)
def test_a_server_that_is_ready_has_not_imported_what_it_does_not_need(tiny_models: Path, module: str) -> None:
    loaded = started(tiny_models)["modules"]
    assert [name for name in loaded if name == module or name.startswith(f"{module}.")] == []


def test_probes_and_tasks_are_answered_meanwhile(tiny_models: Path) -> None:
    assert started(tiny_models)["answers"] == ["HTTP/1.1 200 OK"] * 2


def test_the_garbage_collector_is_on_and_passes_over_what_is_loaded(tiny_models: Path) -> None:
    facts = started(tiny_models)
    assert facts["collector"]
    assert facts["frozen"] > 10_000
