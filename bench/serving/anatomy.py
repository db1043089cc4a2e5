"""
Where the microseconds of one request go: a Markdown table to stdout.

    taskset -c 0 .venv/bin/python -m bench.serving.anatomy

One process without a network: the application is called as uvicorn calls it, by 16 clients at once. Each stage is timed
by itself, on what the stage before it gives. What the whole takes beyond them is the way to the task, the headers, the
queue and the tasks of asyncio. Processor time, the fastest of many rounds, since other processes can only add to it.
What uvicorn and the network take comes on top. A second table has what a request is spared.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from fastapi import FastAPI

from app.api.replies import Reply
from app.api.tracing import Trace
from app.engine.autoencoder import Autoencoder
from app.formats.json_body import read_rows
from app.formats.npy import read_npy
from app.logs import configure_logging
from app.main import create_app
from app.settings import Settings
from bench.serving.contender import Load, Request
from bench.serving.contenders import hourglass
from bench.serving.models import write_repository
from bench.serving.questions import Questions

CLIENTS = 16
ROUNDS = 200
LOADS: dict[Load, str] = {"json-1": "JSON, 1 sample", "binary-32": "binary, 32 samples"}


def main() -> int:
    """Print the table."""
    configure_logging("warning")
    with tempfile.TemporaryDirectory() as folder:
        write_repository("dense", Path(folder))
        requests = hourglass("bench-dense").requests(Questions.read(Path(folder) / "bench-dense" / "1").inputs)
        app = create_app(Settings(models_dir=Path(folder), threads=1))
        columns = [anatomy(app, load, requests[load]) for load in LOADS]
        spared = uvloop.run(what_is_spared(app, requests["json-1"]))
    sys.stdout.write(f"| microseconds of a request | {' | '.join(LOADS.values())} |\n|---|--:|--:|\n")
    for stage in columns[0]:
        sys.stdout.write(f"| {stage} | {' | '.join(f'{column[stage]:.0f}' for column in columns)} |\n")
    sys.stdout.write("\n| microseconds that a request is spared | |\n|---|--:|\n")
    for what, microseconds in spared.items():
        sys.stdout.write(f"| {what} | {microseconds:.0f} |\n")
    return 0


async def what_is_spared(app: Any, request: Request) -> dict[str, float]:
    """FastAPI's way to a task beyond the short one, a thread for the run, a task that listens for the client."""
    routed = await whole_request(functools.partial(FastAPI.__call__, app), request)
    loop, never = asyncio.get_running_loop(), asyncio.Event()

    async def hand_over() -> None:
        await loop.run_in_executor(pool, int)

    async def listen() -> None:
        listener = loop.create_task(never.wait())
        await asyncio.sleep(0)
        listener.cancel()
        await asyncio.sleep(0)

    with ThreadPoolExecutor(1) as pool:
        return {
            "FastAPI's middleware and router": routed - await whole_request(app, request),
            "a hand-over to a thread and back": await fastest_of(hand_over),
            "a task that listens for the client": await fastest_of(listen),
        }


async def fastest_of(call: Callable[[], Awaitable[None]]) -> float:
    """Microseconds of processor time of a call that is awaited, of the fastest of many rounds of ten."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(10):
            await call()
        best = min(best, time.process_time() - start)
    return best / 10 * 1e6


def anatomy(app: Any, load: Load, request: Request) -> dict[str, float]:
    """Microseconds by stage."""
    service = app.state.service
    model: Autoencoder = service.model("bench-dense").model
    read = read_npy if load == "binary-32" else read_rows
    rows = read(request.body, "samples")
    samples = model.check_samples(rows)
    together = np.concatenate([samples] * (CLIENTS if load == "json-1" else 1))
    sharing = len(together) // len(samples)
    (latents,) = model.run_mean(samples)
    media = "application/x-npy" if load == "binary-32" else "application/json"
    reply = Reply(model, service, media, "latents", Trace({"headers": []}))
    stages = {
        "body to array": fastest(lambda: read(request.body, "samples")),
        "checks": fastest(lambda: model.check_samples(rows)),
        f"the run, shared by {CLIENTS} of one sample": fastest(lambda: model.run_mean(together)) / sharing,
        "array to answer": fastest(lambda: reply._write(latents, None, None, {})),
    }
    whole = uvloop.run(whole_request(app, request))
    return {**stages, "the rest": whole - sum(stages.values()), "**all, without HTTP**": whole}


async def whole_request(app: Any, request: Request) -> float:
    """Microseconds of a request, of 16 at once."""
    headers = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    headers += [(b"host", b"localhost"), (b"content-length", str(len(request.body)).encode())]
    scope = {"type": "http", "method": "POST", "path": request.path, "query_string": b"", "headers": headers}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200

    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        await asyncio.gather(*(app(dict(scope), receive, send) for _ in range(CLIENTS)))
        best = min(best, time.process_time() - start)
    return best / CLIENTS * 1e6


def fastest(call: Callable[[], object]) -> float:
    """Microseconds of a call, of the fastest of many rounds of ten."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(10):
            call()
        best = min(best, time.process_time() - start)
    return best / 10 * 1e6


if __name__ == "__main__":
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    sys.exit(main())
