"""
Memory of the server over many requests of mixed sizes: a Markdown table to stdout.

    .venv/bin/python -m bench.serving.soak --requests 100000

Batches of 1 to 256 rows, as JSON and as `.npy`, to encode, decode and reconstruct, in random order from 16 connections.
A server whose memory grows with every new size of a batch shows it here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.serving.contender import Inputs, Request
from bench.serving.contenders import JSON, NPY, hourglass, rows_as_json, rows_as_npy
from bench.serving.load import Wrk, lua
from bench.serving.models import write_repository
from bench.serving.processes import memory_mb
from bench.serving.questions import Questions
from bench.serving.servers import Server, running

STEP_SECONDS = 5.0
BATCHES = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 256)

MIXED = """
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
    parser.add_argument("--requests", type=int, default=100_000)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_repository("dense", folder)
        version = folder / "bench-dense" / "1"
        mixture = mixed_requests(Questions.read(version).inputs)
        sys.stdout.write("| requests | memory, MB |\n|--:|--:|\n")
        with running(hourglass("bench-dense"), version, cores[0]) as server:
            soak(server, MixedWrk(mixture, server.address, cores[-1], folder), options.requests)
    return 0


def soak(server: Server, load: Wrk, requests: int) -> None:
    """A line of the table every few seconds."""
    asked = 0
    sys.stdout.write(f"| 0 | {memory_mb(server.stats()):.0f} |\n")
    while asked < requests:
        asked += load.run(16, STEP_SECONDS).requests
        sys.stdout.write(f"| {asked} | {memory_mb(server.stats()):.0f} |\n")
        sys.stdout.flush()


def mixed_requests(inputs: Inputs) -> list[Request]:
    """Every task, format and size of batch."""
    path, requests = "/v1/models/bench-dense", []
    for rows in BATCHES:
        samples, latents = np.resize(inputs.samples, (rows, 784)), np.resize(inputs.latents, (rows, 32))
        for task, name, array in (
            ("encode", "samples", samples),
            ("decode", "latents", latents),
            ("reconstruct", "samples", samples),
        ):
            requests.append(Request(f"{path}/{task}", rows_as_npy(array), NPY))
            requests.append(Request(f"{path}/{task}", rows_as_json(name, array), JSON))
    return requests


class MixedWrk(Wrk):
    """wrk with many requests, one of which is drawn each time."""

    def __init__(self, mixture: list[Request], address: str, core: int, scratch: Path) -> None:
        super().__init__(mixture[0], address, core, scratch)
        listed = scratch / "mixture"
        lines = []
        for number, request in enumerate(mixture):
            body = scratch / f"body-{number}"
            body.write_bytes(request.body)
            lines.append(f"{request.path} {body} {request.headers['Content-Type']}\n")
        listed.write_text("".join(lines))
        self._script.write_text(lua(mixture[0], scratch / "body-0") + MIXED % json.dumps(str(listed)))


if __name__ == "__main__":
    sys.exit(main())
