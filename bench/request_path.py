"""
The way of one request through the modules of the application: a Markdown table to stdout.

    .venv/bin/python -m bench.request_path --list

A real HTTP connection of uvicorn gets the bytes of a request over a transport in memory. After 50 such requests,
one more is traced, and every function of the package `app` that starts is counted, in order.

- calls: functions that started. A coroutine counts once, however often it is resumed. A comprehension or a lambda is
  a function too, as Python 3.11 has it.
- modules: different modules among them.
- stays: consecutive calls in the same module are one stay.
- returns: stays in a module that an earlier stay was in.

Calls on other threads are not counted. One generated sample is asked for, since the default count of 16 takes so long
to compute that a thread does it.

The script only uses `app.main` and `app.settings`, so that PYTHONPATH can name an older checkout to trace.
"""

from __future__ import annotations

import argparse
import asyncio
import dis
import itertools
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
import uvicorn
import uvicorn.server

import app.main
from app.settings import Settings

WARM_UP_REQUESTS = 50
ANSWER_SECONDS = 30
PACKAGE = "app"


class Transport(asyncio.Transport):
    """One end of a connection in memory: it keeps the bytes that the server writes."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8000)})
        self.written = bytearray()
        self._has_written = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep the bytes."""
        self.written += data
        self._has_written.set()

    def is_closing(self) -> bool:
        """Return False: this end never hangs up."""
        return False

    def close(self) -> None:
        """Do nothing: the connection ends with the program."""

    def pause_reading(self) -> None:
        """Do nothing: the bytes of a request arrive at once."""

    def resume_reading(self) -> None:
        """Do nothing: the bytes of a request arrive at once."""

    async def answer(self) -> bytes:
        """Wait for a complete response, and return its body."""
        while True:
            head, end, body = bytes(self.written).partition(b"\r\n\r\n")
            headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            if end and len(body) >= int(headers[b"content-length"]):
                assert head.startswith(b"HTTP/1.1 200 "), (head, body)
                return body
            self._has_written.clear()
            await asyncio.wait_for(self._has_written.wait(), ANSWER_SECONDS)


class Calls:
    """The functions of the package that started, as pairs of module and function."""

    def __init__(self) -> None:
        self.functions: list[tuple[str, str]] = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the calls of this thread."""
        sys.setprofile(self._record)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _record(self, frame: FrameType, event: str, _: object) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith(f"{PACKAGE}.") and starts(frame):
            self.functions.append((module.removeprefix(f"{PACKAGE}.").replace(".", "/"), frame.f_code.co_qualname))

    def begin_with(self, name: str) -> None:
        """Forget what the connection did before the ASGI entry, which is the first call of this name."""
        names = [name for _, name in self.functions]
        del self.functions[: names.index(name)]

    def stays(self) -> list[str]:
        """Return the modules in order, consecutive calls in one of them as one stay."""
        return [module for module, _ in itertools.groupby(module for module, _ in self.functions)]

    def counts(self) -> dict[str, int]:
        """Return the four numbers of the table."""
        stays, modules = self.stays(), {module for module, _ in self.functions}
        return {
            "calls": len(self.functions),
            "modules": len(modules),
            "stays": len(stays),
            "returns": len(stays) - len(modules),
        }


def starts(frame: FrameType) -> bool:
    """
    Return False for a coroutine or generator that is resumed, which is a call event too.

    Source: https://docs.python.org/3/library/dis.html#opcode-RESUME: its argument is 0 at the start of a function. To
    remember frames instead would keep their variables alive, and simdjson refuses a second document beside a first.
    """
    opcode, argument = frame.f_code.co_code[frame.f_lasti : frame.f_lasti + 2]
    return (opcode, argument) == (dis.opmap["RESUME"], 0)


def main() -> int:
    """Print the table and, with --list, the functions."""
    options = build_parser().parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    application: Any = app.main.create_app(Settings(models_dir=options.models_dir))
    counts = {title: asyncio.run(trace(application, content)) for title, content in requests(options.model).items()}
    sys.stdout.write("| request | calls | modules | stays | returns |\n|---|--:|--:|--:|--:|\n")
    for title, calls in counts.items():
        sys.stdout.write(f"| {title} | {' | '.join(map(str, calls.counts().values()))} |\n")
    if options.list:
        for title, calls in counts.items():
            sys.stdout.write(f"\n{title}\n\n")
            for module, group in itertools.groupby(calls.functions, lambda call: call[0]):
                sys.stdout.write(f"    {module:24} {', '.join(function for _, function in group)}\n")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, default=Path("models"), help="the model repository (models)")
    parser.add_argument("--model", default="mnist-vae", help="a model that can generate (mnist-vae)")
    parser.add_argument("--list", action="store_true", help="print the functions too")
    return parser


def requests(model: str) -> dict[str, bytes]:
    """Return the bytes of each request, by its title in the table."""
    numbers = [round(index / 784, 3) for index in range(784)]
    tensor = {"name": "samples", "shape": [1, 784], "datatype": "FP32", "data": numbers}
    return {
        "`/v1` encode, one JSON sample": post(f"/v1/models/{model}/encode", {"samples": [numbers]}),
        "`/v2` infer, the same sample": post(f"/v2/models/{model}.encode/infer", {"inputs": [tensor]}),
        "`/v1` generate?seed=7&count=1": post(f"/v1/models/{model}/generate?seed=7&count=1", None),
    }


def post(path: str, members: Any) -> bytes:
    """Return a POST request with a JSON body, or with none."""
    body = b"" if members is None else json.dumps(members).encode()
    headers = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    if body:
        headers.append("Content-Type: application/json")
    return "\r\n".join([*headers, "", ""]).encode() + body


async def trace(application: Any, content: bytes) -> Calls:
    """Return the calls of one request, after many like it over the same connection."""
    transport, calls = Transport(), Calls()
    protocol = connect(application, transport)
    for _ in range(WARM_UP_REQUESTS):
        await ask(protocol, transport, content)
    with calls.recording():
        await ask(protocol, transport, content)
    calls.begin_with(f"{type(application).__name__}.__call__")
    return calls


def connect(application: Any, transport: Transport) -> Any:
    """Return uvicorn's side of a new connection."""
    config = uvicorn.Config(
        application,
        http=getattr(app.main, "PROTOCOL", "httptools"),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
    )
    config.load()
    factory: Any = config.http_protocol_class
    protocol = factory(config=config, server_state=uvicorn.server.ServerState(), app_state={})
    protocol.connection_made(transport)
    return protocol


async def ask(protocol: Any, transport: Transport, content: bytes) -> bytes:
    """Send a request over the connection and return the body of the answer."""
    transport.written.clear()
    protocol.data_received(content)
    return await transport.answer()


if __name__ == "__main__":
    sys.exit(main())
