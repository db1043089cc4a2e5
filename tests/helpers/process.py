"""The command `hourglass` as a process of its own, and shell commands as users type them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

DEVELOPED = (sys.executable, "-m", "app")
"""The command as the code in this repository."""


def environment(**settings: str) -> dict[str, str]:
    """Return this process's variables, with these HOURGLASS_* ones in place of its own."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HOURGLASS_")}
    return {**plain, **{f"HOURGLASS_{name.upper()}": value for name, value in settings.items()}}


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command until it ends by itself."""
    return subprocess.run(
        [*DEVELOPED, *arguments], env=environment(**settings), capture_output=True, text=True, timeout=60
    )


@contextmanager
def serving(*arguments: str, **settings: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """Start the command; give the process, its address and the lines of its log, once it listens."""
    variables = environment(**{"port": "0", "drain_seconds": "0", **settings})
    with listening([*DEVELOPED, *arguments], variables) as server:
        yield server


@contextmanager
def listening(
    command: Sequence[str], variables: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """Start a command that serves; give the process, its address and the lines of its log, once it listens."""
    process = subprocess.Popen(
        command,
        env=variables,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that worker processes can be ended with it
    )
    assert process.stderr is not None
    lines: list[str] = []
    drain = threading.Thread(target=lambda: lines.extend(process.stderr or []))
    try:
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"Uvicorn running on (https?://[\d.]+:\d+|unix socket \S+)", line):
                address = found.group(1)
                break
        else:
            raise AssertionError("".join(lines))
        drain.start()
        yield process, address, lines
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        with suppress(ProcessLookupError):  # whatever is left of its group
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if drain.ident:
            drain.join()
        process.stderr.close()


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_until_ready(address: str, path: str = "/readyz") -> None:
    """Wait until a server answers 200."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(f"{address}{path}").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"{address} was not ready in time")


def run_shell(command: str, folder: Path) -> str:
    """Run a command in a folder and return its output. It must succeed."""
    ended = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, cwd=folder, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def use_address(command: str, address: str) -> str:
    """Return a documented curl command with another server's address."""
    return command.replace("http://127.0.0.1:8000", address).replace("curl ", "curl --silent --show-error ")


def wait_for_workers(count: int, log: list[str]) -> None:
    """Wait until so many processes serve."""
    deadline = time.monotonic() + 60
    while sum("Application startup complete" in line for line in list(log)) < count:
        assert time.monotonic() < deadline, log
        time.sleep(0.05)
