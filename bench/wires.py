"""
The CPU time of the server for a request of /v2: JSON, binary tensors, and gRPC, and for a bare echo of grpc.aio.

    .venv/bin/python -m bench.wires

16 connections send the same samples to the task encode of `mnist-vae-2d`, on core 0; the clients are elsewhere. Of
three rounds, the median counts. wrk, which `bench.serving` uses, does not speak gRPC, so these clients are Python's;
`bench.serving` runs this module for its table of wires.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np

from app.api.v2.grpc import open_inference_pb2 as pb
from bench.serving.results import BINARY_WIRE, ECHO_WIRE, GRPC_WIRE, JSON_WIRE, WireCost

ROOT = Path(__file__).parent.parent
MODEL = "mnist-vae-2d.encode"
METHOD = "/inference.GRPCInferenceService/ModelInfer"
CONNECTIONS, ROUNDS = 16, 3
REQUESTS = {1: 3200, 32: 1600}
"""Requests of a round by their rows."""
LISTENS = re.compile(r'"port": (\d+), "event": "gRPC listens"|running on http://127.0.0.1:(\d+)')
ECHO = """
import asyncio, sys, grpc.aio, uvloop

class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(self.echo)

    async def echo(self, message, context):
        return message[:100]

async def main():
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination()

uvloop.run(main())
"""

Send = Callable[[int], Coroutine[Any, Any, None]]
"""Sends a number of requests over all connections."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def http_sender(port: int, body: bytes, json_length: int | None) -> Send:
    """Return the clients of HTTP for a body, of which the first bytes may be the JSON of binary tensors."""
    head = f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
    if json_length is not None:
        head += f"Inference-Header-Content-Length: {json_length}\r\n"
    request = head.encode() + b"\r\n" + body

    async def client(count: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(count):
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            await reader.readexactly(int(answer.lower().partition(b"\r\ncontent-length: ")[2].split(b"\r\n")[0]))
        writer.close()

    return together(client)


def grpc_sender(port: int, message: bytes) -> Send:
    """Return the clients of gRPC for a message."""

    async def client(count: int) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            call = channel.unary_unary(METHOD)
            for _ in range(count):
                await call(message)

    return together(client)


def together(client: Send) -> Send:
    """Return clients that share the requests."""

    async def send(count: int) -> None:
        await asyncio.gather(*[client(count // CONNECTIONS) for _ in range(CONNECTIONS)])

    return send


def cpu_milliseconds(pid: int, send: Send, count: int) -> float:
    """Return the median of the CPU time of a request."""
    asyncio.run(send(count // 10))
    rounds = []
    for _ in range(ROUNDS):
        before = cpu_seconds(pid)
        asyncio.run(send(count))
        rounds.append((cpu_seconds(pid) - before) / count * 1000)
    return statistics.median(rounds)


def senders(rows: int, http: int, rpc: int) -> dict[str, Send]:
    """Return the clients of each wire for a number of rows."""
    samples = np.random.default_rng(0).random((rows, 784)).astype("<f4")
    described = {"name": "samples", "shape": [rows, 784], "datatype": "FP32"}
    binary = described | {"parameters": {"binary_data_size": samples.nbytes}}
    header = json.dumps({"inputs": [binary], "parameters": {"binary_data_output": True}}).encode()
    document = {"inputs": [described | {"data": samples.ravel().round(4).tolist()}]}
    tensor = pb.ModelInferRequest.InferInputTensor(name="samples", shape=[rows, 784], datatype="FP32")
    message = pb.ModelInferRequest(model_name=MODEL, inputs=[tensor], raw_input_contents=[samples.tobytes()])
    return {
        JSON_WIRE: http_sender(http, json.dumps(document).encode(), None),
        BINARY_WIRE: http_sender(http, header + samples.tobytes(), len(header)),
        GRPC_WIRE: grpc_sender(rpc, message.SerializeToString()),
    }


def main() -> None:
    """Print a table."""
    print("| rows | wire | CPU ms a request |\n|--:|---|--:|")
    for cost in measure_wires():
        print(f"| {cost.rows or '-'} | {cost.wire} | {cost.cpu_ms:.2f} |", flush=True)


def measure_wires() -> Iterator[WireCost]:
    """Start an echo and the server, and yield the cost of each wire."""
    settings = {"HOURGLASS_PORT": "0", "HOURGLASS_GRPC_PORT": "0", "HOURGLASS_DRAIN_SECONDS": "0"}
    core = ["taskset", "--cpu-list", "0", sys.executable]
    echo = subprocess.Popen([*core, "-c", ECHO], stdout=subprocess.PIPE, text=True)
    server = subprocess.Popen(
        [*core, "-m", "app"], env={**os.environ, **settings}, cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert echo.stdout is not None
    assert server.stderr is not None
    try:
        rpc, http = [int(next(filter(None, found))) for found in _listening(server.stderr)]
        subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)  # the log must be read
        bare = grpc_sender(int(echo.stdout.readline()), bytes(3200))
        yield WireCost(0, ECHO_WIRE, cpu_milliseconds(echo.pid, bare, REQUESTS[1]))
        for rows, count in REQUESTS.items():
            for name, send in senders(rows, http, rpc).items():
                yield WireCost(rows, name, cpu_milliseconds(server.pid, send, count))
    finally:
        for process in (echo, server):
            process.terminate()
            process.wait()


def _listening(log: Any) -> list[tuple[str, ...]]:
    """Return the groups of the two lines of the log that name the ports."""
    found: list[tuple[str, ...]] = []
    for line in log:
        found += LISTENS.findall(line)
        if len(found) == 2:
            return found
    raise AssertionError("the server did not start")


if __name__ == "__main__":
    main()
