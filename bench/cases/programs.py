"""The commands and the server, started as users start them, from the checkout that is being tried."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND_SECONDS = 300
"""Seconds that a command may take; training starts slowly on a busy machine."""
START_SECONDS = 120
"""Seconds that a server may take to become ready."""


def train(scratch: Path, *arguments: str) -> str:
    """
    Run `hourglass-train train` in a folder and return the exit code and all lines in one.

    The run is one epoch long and is not exported, unless the arguments say otherwise.
    """
    if "--epochs" not in arguments:
        arguments = (*arguments, "--epochs", "1")
    if "--models-dir" not in arguments:
        arguments = (*arguments, "--no-export")
    return command(scratch, "training", "train", *arguments, "--overwrite")


def import_model(scratch: Path, *arguments: str) -> str:
    """Run `hourglass import` in a folder and return the exit code and all lines in one."""
    return command(scratch, "app", "import", *arguments)


def command(scratch: Path, module: str, *arguments: str) -> str:
    """Run a module as a command in a folder and return `exit CODE: ` and all lines of its output, joined by ` | `."""
    try:
        ended = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=scratch,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_SECONDS,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        return f"no end after {COMMAND_SECONDS} s"
    lines = [" ".join(line.split()) for line in (ended.stderr + ended.stdout).splitlines()]
    return f"exit {ended.returncode}: {' | '.join(line for line in lines if line)}"


@contextmanager
def server(models_dir: Path, **settings: str) -> Iterator[str]:
    """Serve a model repository inside the block and yield the address. Settings are variables without HOURGLASS_."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"PORT": str(port), "MODELS_DIR": str(models_dir.resolve()), "LOG_LEVEL": "error", **settings}
    settings.setdefault("DRAIN_SECONDS", "0")
    variables = {f"HOURGLASS_{name}": value for name, value in settings.items()}
    process = subprocess.Popen([sys.executable, "-m", "app"], env={**os.environ, **variables})
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the server was not ready; it ended with {process.poll()}")
