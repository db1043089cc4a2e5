"""One request over and over with `wrk`, from one thread on a core of its own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.serving.contender import Request

TIMEOUT_SECONDS = 60
MARK = "bench: "

REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'bench: {"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""
"""wrk's own report rounds; this line does not."""


class LoadError(Exception):
    """Answers were missing or not 2xx, so that what was measured means nothing."""


@dataclass(frozen=True)
class Outcome:
    """What wrk saw: closed loop, each connection asks again as soon as it has its answer."""

    requests: int
    seconds: float
    p50_us: float
    p99_us: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds if self.requests else 0.0


def parse(report: str) -> Outcome:
    """The line of our script in wrk's output. Raises LoadError where there is none, or errors."""
    line = next((line for line in report.splitlines() if line.startswith(MARK)), None)
    if line is None:
        raise LoadError(f"wrk gave no result: {' | '.join(report.splitlines()[-3:])}")
    found = json.loads(line.removeprefix(MARK))
    if errors := found.pop("errors"):
        raise LoadError(f"{errors} of {errors + found['requests']} requests failed")
    return Outcome(**found)


def lua(request: Request, body: Path) -> str:
    """The script that sends a request; the body is a file, since it may be any bytes."""
    headers = "".join(f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}\n" for k, v in request.headers.items())
    return (
        f"wrk.method = {json.dumps(request.method)}\n{headers}"
        f'local file = io.open({json.dumps(str(body))}, "rb")\nwrk.body = file:read("*a")\nfile:close()\n{REPORT}'
    )


class Wrk:
    """wrk, with the files that it reads, for one request to one address."""

    def __init__(self, request: Request, address: str, core: int, scratch: Path) -> None:
        body, self._script = scratch / "body", scratch / "request.lua"
        body.write_bytes(request.body)
        self._script.write_text(lua(request, body))
        self._url = address + request.path
        self._core = core

    def run(self, connections: int, seconds: float) -> Outcome:
        """
        Ask for so long. Raises LoadError.

        wrk takes whole seconds; it is told a long time and interrupted, upon which it reports as usual.
        """
        command = ["taskset", "-c", str(self._core), wrk(), "--threads", "1", "--connections", str(connections)]
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


def wrk() -> str:
    """The path of wrk. Raises LoadError where it is not installed."""
    path = shutil.which("wrk")
    if path is None:
        raise LoadError("wrk is not installed: https://github.com/wg/wrk, or `apt install wrk`")
    return path
