"""
The servers that are measured: what a contender is, and the contenders that run in this environment.

`hourglass-v2` is this server under the same loads, as requests of the Open Inference Protocol. `floor` is a bare ASGI
application without checks, `written` a typical FastAPI application as people write it. The other contenders are in
`bench.serving.rivals`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.serving.loads import Array, Inputs, Load, Request, json_requests, read_rows, rows_as_npy
from bench.serving.v2 import read_v2, v2_requests

ROOT = Path(__file__).parents[2]

NPY = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}
PNG = {"Content-Type": "image/png", "Accept": "application/json"}


@dataclass(frozen=True)
class Contender:
    """A server that the benchmark starts, sends requests to, and stops."""

    name: str
    start: Callable[[int, Path], list[str]]
    """
    Returns the command line for a free port and the folder of one model.

    The folder holds `encoder.onnx` (`samples` -> `latents`) and `decoder.onnx` (`latents` -> `samples`).
    """
    requests: Callable[[Inputs], Mapping[Load, Request]]
    """Returns a request for each load that the server supports; the table shows a dash for the others."""
    read: Callable[[Load, bytes], Array] = read_rows
    """Returns the rows of an answer's body, latents or samples, flat, to compare them with onnxruntime's."""
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = "/"
    """A path that answers 200 once the server can serve."""
    start_seconds: float = 60.0
    """Seconds that the server may take to become ready."""

    @property
    def is_installed(self) -> bool:
        """True if the program that `start` names exists."""
        program = next(word for word in self.start(0, Path()) if "=" not in word and word != "env")
        return Path(program).exists() or "/" not in program


def local_contenders(model: str) -> list[Contender]:
    """Return the contenders of this environment. Only the paths of hourglass contain the model's name."""
    ours = [hourglass(model), hourglass_v2(model)]
    return [*ours, floor(), written("written", typed=False), written("written-typed", typed=True)]


def hourglass(model: str) -> Contender:
    """Return this server as `make serve` starts it, over the repository that holds the model's folder."""
    command = str(Path(sys.executable).parent / "hourglass")

    def start(port: int, folder: Path) -> list[str]:
        return ["env", f"HOURGLASS_PORT={port}", f"HOURGLASS_MODELS_DIR={folder.parent.parent}", command]

    def requests(inputs: Inputs) -> Mapping[Load, Request]:
        return hourglass_requests(model, inputs)

    return Contender(
        "hourglass",
        start,
        requests,
        environment={"HOURGLASS_LOG_LEVEL": "warning", "HOURGLASS_DRAIN_SECONDS": "0"},
        ready="/readyz",
    )


def hourglass_v2(model: str) -> Contender:
    """Return this server with requests to /v2."""

    def requests(inputs: Inputs) -> Mapping[Load, Request]:
        return v2_requests(inputs, f"{model}.encode", f"{model}.decode", has_binary_data=True)

    return replace(hourglass(model), name="hourglass-v2", requests=requests, read=read_v2)


def floor() -> Contender:
    """Return the bare ASGI application of `bench.serving.apps.floor`."""
    return Contender("floor", functools.partial(uvicorn_command, "floor"), app_requests)


def written(name: str, typed: bool) -> Contender:
    """Return the typical FastAPI application of `bench.serving.apps.written`, with or without response models."""
    environment = {"BENCH_TYPED": "1" if typed else "0"}
    return Contender(name, functools.partial(uvicorn_command, "written"), app_requests, environment=environment)


def uvicorn_command(app: str, port: int, folder: Path) -> list[str]:
    """Return the command for an application of `bench.serving.apps`, with the loop and parser of uvicorn[standard]."""
    factory = [f"bench.serving.apps.{app}:create", "--factory", "--app-dir", str(ROOT)]
    quiet = ["--no-access-log", "--log-level", "warning", "--lifespan", "off"]
    fast = ["--loop", "uvloop", "--http", "httptools"]
    python = ["env", f"BENCH_FOLDER={folder}", sys.executable, "-m", "uvicorn"]
    return [*python, *factory, "--host", "127.0.0.1", "--port", str(port), *quiet, *fast]


def hourglass_requests(model: str, inputs: Inputs) -> Mapping[Load, Request]:
    """Return the requests for this server, which has one route per task and reads the Content-Type."""
    encode, decode = f"/v1/models/{model}/encode", f"/v1/models/{model}/decode"
    return {
        **json_requests(inputs, encode, decode),
        "binary-32": Request(encode, rows_as_npy(inputs.samples), NPY),
        "png": Request(encode, inputs.png, PNG),
    }


def app_requests(inputs: Inputs) -> Mapping[Load, Request]:
    """Return the requests for `floor` and `written`, which have one route per content type."""
    return {
        **json_requests(inputs, "/encode", "/decode"),
        "binary-32": Request("/encode.npy", rows_as_npy(inputs.samples), NPY),
        "png": Request("/encode.png", inputs.png, PNG),
    }
