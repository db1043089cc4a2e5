"""
Memory of the server over many requests of mixed sizes: a Markdown table to stdout.

    .venv/bin/python -m bench.serving.soak --requests 100000

The requests are batches of 1 to 256 rows, as JSON and as `.npy`, to encode, decode and reconstruct, in random order
from 16 connections. The table shows whether memory grows with every new batch size.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.serving.loads import JSON, Inputs, Request, Workload, rows_as_json, rows_as_npy
from bench.serving.models import write_repository
from bench.serving.processes import Server, memory_mb, running
from bench.serving.servers import NPY, hourglass
from bench.serving.wrk import Wrk, lua_script

MODEL = "bench-dense"
CONNECTIONS = 16
STEP_SECONDS = 5.0
BATCH_SIZES = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 256)

MIXED_REQUESTS = """
local requests = {}
for line in io.lines(%s) do
  local path, body, kind = line:match("(%%S+) (%%S+) (%%S+)")
  local file = io.open(body, "rb")
  requests[#requests + 1] = wrk.format("POST", path, {["Content-Type"] = kind, ["Accept"] = kind}, file:read("*a"))
  file:close()
end
math.randomseed(1)
request = function() return requests[math.random(#requests)] end
"""


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000, help="end after this many requests (100000)")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_repository("dense", folder)
        version = folder / MODEL / "1"
        requests = mixed_requests(Workload.read(version).inputs)
        sys.stdout.write("| requests | memory, MB |\n|--:|--:|\n")
        with running(hourglass(MODEL), version, cores[0]) as server:
            soak(server, MixedWrk(requests, server.address, cores[-1], folder), options.requests)
    return 0


def soak(server: Server, wrk: Wrk, requests: int) -> None:
    """Print a row of the table every few seconds until there were enough requests."""
    answered = 0
    sys.stdout.write(f"| 0 | {memory_mb(server.stats()):.0f} |\n")
    while answered < requests:
        answered += wrk.run(CONNECTIONS, STEP_SECONDS).requests
        sys.stdout.write(f"| {answered} | {memory_mb(server.stats()):.0f} |\n")
        sys.stdout.flush()


def mixed_requests(inputs: Inputs) -> list[Request]:
    """Return requests of every task, format and batch size."""
    path, requests = f"/v1/models/{MODEL}", []
    for size in BATCH_SIZES:
        samples, latents = np.resize(inputs.samples, (size, 784)), np.resize(inputs.latents, (size, 32))
        for task, name, array in (
            ("encode", "samples", samples),
            ("decode", "latents", latents),
            ("reconstruct", "samples", samples),
        ):
            requests.append(Request(f"{path}/{task}", rows_as_npy(array), NPY))
            requests.append(Request(f"{path}/{task}", rows_as_json(name, array), JSON))
    return requests


class MixedWrk(Wrk):
    """The command wrk with many requests, of which it sends a random one each time."""

    def __init__(self, requests: list[Request], address: str, core: int, scratch: Path) -> None:
        super().__init__(requests[0], address, core, scratch)
        index = scratch / "requests"
        lines = []
        for number, request in enumerate(requests):
            body = scratch / f"body-{number}"
            body.write_bytes(request.body)
            lines.append(f"{request.path} {body} {request.headers['Content-Type']}\n")
        index.write_text("".join(lines))
        self._script.write_text(lua_script(requests[0], scratch / "body-0") + MIXED_REQUESTS % json.dumps(str(index)))


if __name__ == "__main__":
    sys.exit(main())
