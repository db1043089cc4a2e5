"""
The time of one request by stage: a Markdown table to stdout.

    taskset -c 0 .venv/bin/python -m bench.serving.anatomy

One process without a network: 16 clients call the application at once, as uvicorn calls it. Each stage is timed by
itself, with the output of the stage before it. "The rest" is the time of the whole request beyond its stages: finding
the task, headers, the queue and asyncio's tasks. All numbers are processor time, the lowest of many rounds, since
other processes can only add to it. The time of uvicorn and the network comes on top. A second table shows the time
that design decisions save per request.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvloop

from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.formats.json_answer import write_object
from app.formats.json_body import read_rows
from app.formats.npy import read_npy, write_npy
from app.logs import configure_logging
from app.main import create_app
from app.settings import Settings
from bench.serving.loads import Array, Load, Request, Workload
from bench.serving.models import write_repository
from bench.serving.servers import hourglass_requests

MODEL = "bench-dense"
CLIENTS = 16
ROUNDS = 200
CALLS_PER_ROUND = 10
LOADS: dict[Load, str] = {"json-1": "JSON, 1 sample", "binary-32": "binary, 32 samples"}
MOUNT = "/mounted"


def main() -> int:
    """Print the tables."""
    configure_logging("warning")
    with tempfile.TemporaryDirectory() as folder:
        write_repository("dense", Path(folder))
        version = Path(folder) / MODEL / "1"
        workload, model = Workload.read(version), load_version(version, MODEL, 1)
        requests = hourglass_requests(MODEL, workload.inputs)
        app = create_app(Settings(models_dir=Path(folder), threads=1))
        columns = []
        for load in LOADS:
            whole = uvloop.run(time_request(app, requests[load]))
            stages = time_stages(model, load, requests[load].body)
            columns.append({**stages, "the rest": whole - sum(stages.values()), "**all, without HTTP**": whole})
        savings = uvloop.run(time_savings(app, requests["json-1"]))
    sys.stdout.write(f"| microseconds of a request | {' | '.join(LOADS.values())} |\n|---|--:|--:|\n")
    for stage in columns[0]:
        sys.stdout.write(f"| {stage} | {' | '.join(f'{column[stage]:.0f}' for column in columns)} |\n")
    sys.stdout.write("\n| microseconds saved per request | |\n|---|--:|\n")
    for name, microseconds in savings.items():
        sys.stdout.write(f"| {name} | {microseconds:.0f} |\n")
    return 0


def time_stages(model: Autoencoder, load: Load, body: bytes) -> dict[str, float]:
    """Return microseconds by stage."""
    is_npy = load == "binary-32"
    read: Callable[[bytes, str], Array] = read_npy if is_npy else read_rows
    rows = read(body, "samples")
    samples = model.check_samples(rows)
    shared = samples if is_npy else samples.repeat(CLIENTS, axis=0)
    (latents,) = model.run_mean(samples)

    def write() -> bytes:
        if is_npy:
            return write_npy(latents)
        return write_object({"model": model.manifest.name, "version": 1, "latents": latents})

    return {
        "body to array": time_call(lambda: read(body, "samples")),
        "checks": time_call(lambda: model.check_samples(rows)),
        f"the run, shared by {CLIENTS} of one sample": time_call(lambda: model.run_mean(shared))
        * (len(samples) / len(shared)),
        "array to answer": time_call(write),
    }


async def time_savings(app: Any, request: Request) -> dict[str, float]:
    """Return the microseconds of FastAPI's way to a task, of a thread for the run, of a task that awaits the client."""
    loop, never = asyncio.get_running_loop(), asyncio.Event()

    async def hand_over() -> None:
        await loop.run_in_executor(pool, int)

    async def listen() -> None:
        listener = loop.create_task(never.wait())
        await asyncio.sleep(0)
        listener.cancel()
        await asyncio.sleep(0)

    # Only FastAPI's router knows a path below a mount, so that such a request passes through all of FastAPI.
    routed = await time_request(app, request, root_path=MOUNT)
    with ThreadPoolExecutor(1) as pool:
        return {
            "FastAPI's middleware and router": routed - await time_request(app, request),
            "a hand-over to a thread and back": await time_awaited(hand_over),
            "a task that listens for the client": await time_awaited(listen),
        }


async def time_request(app: Any, request: Request, root_path: str = "") -> float:
    """Return the microseconds of a request, while 16 are in the application at once."""
    headers = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    headers += [(b"host", b"localhost"), (b"content-length", str(len(request.body)).encode())]
    path = {"path": root_path + request.path, "root_path": root_path, "query_string": b""}
    scope = {"type": "http", "method": "POST", "headers": headers, **path}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200, message

    lowest = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        await asyncio.gather(*(app(dict(scope), receive, send) for _ in range(CLIENTS)))
        lowest = min(lowest, time.process_time() - start)
    return lowest / CLIENTS * 1e6


async def time_awaited(call: Callable[[], Awaitable[None]]) -> float:
    """Return the microseconds of processor time of an awaited call, in the fastest round."""
    lowest = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS_PER_ROUND):
            await call()
        lowest = min(lowest, time.process_time() - start)
    return lowest / CALLS_PER_ROUND * 1e6


def time_call(call: Callable[[], object]) -> float:
    """Return the microseconds of processor time of a call, in the fastest round."""
    lowest = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS_PER_ROUND):
            call()
        lowest = min(lowest, time.process_time() - start)
    return lowest / CALLS_PER_ROUND * 1e6


if __name__ == "__main__":
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    sys.exit(main())
