"""The load generator `wrk`: one request over and over, from one thread on a core of its own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.serving.loads import Request

TIMEOUT_SECONDS = 60
RESULT_PREFIX = "bench: "

REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'bench: {"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""
"""A line with exact numbers; those in wrk's own report are rounded."""


class LoadError(Exception):
    """Answers were missing or had no 2xx status, so the measurement is worthless."""


@dataclass(frozen=True)
class Outcome:
    """The result of wrk's closed loop: each connection sends again as soon as it has its answer."""

    requests: int
    seconds: float
    p50_us: float
    p99_us: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds if self.requests else 0.0


def parse(report: str) -> Outcome:
    """Read our script's line from wrk's output. Raises LoadError if it is missing or counts errors."""
    line = next((line for line in report.splitlines() if line.startswith(RESULT_PREFIX)), None)
    if line is None:
        raise LoadError(f"wrk gave no result: {' | '.join(report.splitlines()[-3:])}")
    fields = json.loads(line.removeprefix(RESULT_PREFIX))
    if errors := fields.pop("errors"):
        raise LoadError(f"{errors} of {errors + fields['requests']} requests failed")
    return Outcome(**fields)


def lua_script(request: Request, body: Path) -> str:
    """Write the script that sends a request. The body is read from a file, since it may be any bytes."""
    headers = "".join(f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}\n" for k, v in request.headers.items())
    return (
        f"wrk.method = {json.dumps(request.method)}\n{headers}"
        f'local file = io.open({json.dumps(str(body))}, "rb")\nwrk.body = file:read("*a")\nfile:close()\n{REPORT}'
    )


class Wrk:
    """The command wrk, with the files that it reads, for one request to one address."""

    def __init__(self, request: Request, address: str, core: int, scratch: Path) -> None:
        body, self._script = scratch / "body", scratch / "request.lua"
        body.write_bytes(request.body)
        self._script.write_text(lua_script(request, body))
        self._url = address + request.path
        self._core = core

    def run(self, connections: int, seconds: float) -> Outcome:
        """
        Send requests for this many seconds. Raises LoadError.

        wrk accepts only whole seconds, so it gets a long duration and is interrupted, upon which it reports as usual.
        """
        command = ["taskset", "-c", str(self._core), find_wrk(), "--threads", "1", "--connections", str(connections)]
        command += ["--duration", "600", "--timeout", str(TIMEOUT_SECONDS), "--script", str(self._script), self._url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            report, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        finally:
            process.kill()
            process.wait()
        return parse(report)


def find_wrk() -> str:
    """Return the path of wrk. Raises LoadError if it is not installed."""
    path = shutil.which("wrk")
    if path is None:
        raise LoadError("wrk is not installed: https://github.com/wg/wrk, or `apt install wrk`")
    return path
