"""The contenders that need no other package, and how to find the rivals, which have environments of their own."""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import orjson

from bench.serving.contender import Array, Contender, Inputs, Load, Request
from bench.serving.questions import ROWS_OF

ROOT = Path(__file__).parents[2]

JSON = {"Content-Type": "application/json"}
NPY = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}
PNG = {"Content-Type": "image/png", "Accept": "application/json"}


def contenders(model: str) -> list[Contender]:
    """Everything that can be started here, for a model by its name: only our routes have it in their path."""
    return [hourglass(model), floor(), written("written", typed=False), written("written-typed", typed=True), *rivals()]


def hourglass(model: str) -> Contender:
    """This server, as `make serve` starts it, over the repository that the model's folder lies in."""
    command = str(Path(sys.executable).parent / "hourglass")

    def start(port: int, folder: Path) -> list[str]:
        return ["env", f"HOURGLASS_PORT={port}", f"HOURGLASS_MODELS_DIR={folder.parent.parent}", command]

    def requests(inputs: Inputs) -> Mapping[Load, Request]:
        path = f"/v1/models/{model}"
        return our_requests(inputs, {"encode": f"{path}/encode", "decode": f"{path}/decode"})

    return Contender("hourglass", start, requests, read, {"HOURGLASS_LOG_LEVEL": "warning"}, ready="/readyz")


def floor() -> Contender:
    """The bare ASGI callable of `bench.serving.apps.floor`."""
    return Contender("floor", functools.partial(uvicorn, "floor"), app_requests, read)


def written(name: str, typed: bool) -> Contender:
    """The application of `bench.serving.apps.written`, with or without response models."""
    environment = {"BENCH_TYPED": "1" if typed else "0"}
    return Contender(name, functools.partial(uvicorn, "written"), app_requests, read, environment)


def rivals() -> list[Contender]:
    """Those that have environments of their own; imported here, since their bodies are made by this module."""
    from bench.serving.rivals import RIVALS

    return RIVALS


def is_installed(contender: Contender) -> bool:
    """Whether the program that a contender starts is there."""
    program = next(word for word in contender.start(0, Path()) if "=" not in word and word != "env")
    return Path(program).exists() or "/" not in program


def uvicorn(app: str, port: int, folder: Path) -> list[str]:
    """The command of an application beside this module; uvloop and httptools come with `uvicorn[standard]`."""
    served = [f"bench.serving.apps.{app}:create", "--factory", "--app-dir", str(ROOT)]
    quiet = ["--no-access-log", "--log-level", "warning", "--lifespan", "off"]
    fast = ["--loop", "uvloop", "--http", "httptools"]
    python = ["env", f"BENCH_FOLDER={folder}", sys.executable, "-m", "uvicorn"]
    return [*python, *served, "--host", "127.0.0.1", "--port", str(port), *quiet, *fast]


def app_requests(inputs: Inputs) -> Mapping[Load, Request]:
    """Of the two applications, which have a route for each content type."""
    return our_requests(inputs, {"encode": "/encode", "npy": "/encode.npy", "png": "/encode.png", "decode": "/decode"})


def our_requests(inputs: Inputs, paths: Mapping[str, str]) -> Mapping[Load, Request]:
    """Flat rows as JSON, a `.npy` file, a PNG file, latents as JSON."""
    encode, flat = paths["encode"], inputs.samples.reshape(len(inputs.samples), -1)
    return {
        "json-1": Request(encode, rows_as_json("samples", flat[:1]), JSON),
        "json-32": Request(encode, rows_as_json("samples", flat), JSON),
        "binary-32": Request(paths.get("npy", encode), rows_as_npy(inputs.samples), NPY),
        "png": Request(paths.get("png", encode), inputs.png, PNG),
        "decode-32": Request(paths["decode"], rows_as_json("latents", inputs.latents), JSON),
    }


def rows_as_json(name: str, rows: Array) -> bytes:
    """One member with nested lists."""
    return orjson.dumps({name: rows}, option=orjson.OPT_SERIALIZE_NUMPY)


def rows_as_npy(rows: Array) -> bytes:
    """What np.save writes."""
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


def read(load: Load, body: bytes) -> Array:
    """The rows of an answer of this server or of the two applications."""
    if load == "binary-32":
        rows = np.load(io.BytesIO(body))
        assert rows.dtype == np.float32, rows.dtype
        return np.asarray(rows)
    rows = orjson.loads(body)["samples" if load == "decode-32" else "latents"]
    return np.array(rows, np.float32).reshape(ROWS_OF[load], -1)
