"""Servers in the surroundings of users: ranges that training found, Kubernetes' variables, prefixes, other origins."""

from __future__ import annotations

import atexit
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.cases.case import Case
from bench.cases.programs import START_SECONDS, train
from bench.cases.wire import MODEL, ask, bundled, described, served

Rows = npt.NDArray[Any]

ORIGIN = "http://localhost:3000"
ADDRESS = r"^(?!.*unknown).*127\.0\.0\.1(:| port )8000"
"""The server listens on its usual port, or says that another program does, and knows all variables."""


@cache
def spectrograms() -> str:
    """Train on 300 pictures of normally distributed numbers, serve the model until the end, and return the address."""
    scratch = Path(tempfile.mkdtemp(prefix="hourglass-cases-"))
    atexit.register(shutil.rmtree, scratch, True)
    np.save(scratch / "g.npy", np.random.default_rng(0).normal(size=(300, 16, 16)).astype(np.float32))
    options = ("images-ae", "--data", "g.npy", "--name", "g", "--models-dir", "models")
    ended = train(scratch, *options, "--kind", "image")
    if "unrecognized arguments" in ended:  # an older checkout takes all arrays for images
        ended = train(scratch, *options)
    if not ended.startswith("exit 0"):
        raise RuntimeError(ended)
    return served(scratch / "models")


def found_range() -> tuple[float, float]:
    """Return the range that training found."""
    manifest = json.loads(ask("/v1/models/g", address=spectrograms())[2])
    return manifest["input"]["value_range"]["low"], manifest["input"]["value_range"]["high"]


def encode(samples: Rows, path: str = "/v1/models/g/encode") -> tuple[int, Any, bytes]:
    """Send pictures as a `.npy` file."""
    file = io.BytesIO()
    np.save(file, samples.astype(np.float32))
    return ask(path, file.getvalue(), {"Content-Type": "application/x-npy"}, spectrograms())


def draws(count: int) -> Rows:
    """Return new pictures from the distribution of the training data."""
    return np.random.default_rng(2).normal(size=(count, 16, 16)).astype(np.float32)


def compared(samples: Rows) -> str:
    """Encode pictures and compare the count of clipped numbers with numpy's, and the latents with those of clipping."""
    low, high = (np.float32(end) for end in found_range())
    answer = encode(samples)
    if answer[0] != 200:
        return described(*answer)
    beyond = int(((samples < low) | (samples > high)).sum())
    counted = int(answer[1].get("X-Clipped-Numbers", 0))
    expected = json.loads(encode(samples.clip(low, high))[2])["latents"]
    same = np.abs(np.subtract(json.loads(answer[2])["latents"], expected)).max() < 1e-5
    return f"200, {'all' if counted == beyond else counted} of {beyond} counted, {'as clipped' if same else 'others'}"


def fresh(_: Path) -> str:
    """Encode 1 000 new pictures of the same distribution."""
    return compared(draws(1000))


def one_step(_: Path) -> str:
    """Encode a picture with one number a float32 step beyond the range."""
    samples = draws(1) * 0
    samples[0, 0, 0] = np.nextafter(np.float32(found_range()[1]), np.float32(np.inf))
    return compared(samples)


def an_outlier(_: Path) -> str:
    """Encode 100 pictures of which one is far beyond the range; it must not change the others."""
    samples = draws(100).clip(-2, 2)
    alone = encode(samples)
    samples[7] = 1e6
    answer = encode(samples)
    if answer[0] != 200:
        return described(*answer)
    before, after = (np.delete(json.loads(body)["latents"], 7, 0) for _, _, body in (alone, answer))
    same = np.abs(before - after).max() < 1e-5
    return f"200, {answer[1].get('X-Clipped-Numbers')} numbers counted, the others {'same' if same else 'changed'}"


def by_protocol(_: Path) -> str:
    """Encode a picture beyond the range with the Open Inference Protocol."""
    tensor = {"name": "samples", "shape": [1, 256], "datatype": "FP32", "data": [50] * 256}
    body = json.dumps({"inputs": [tensor]}).encode()
    answer = ask("/v2/models/g.encode/infer", body, {"Content-Type": "application/json"}, spectrograms())
    return f"{described(*answer)[:40]}, {answer[1].get('X-Clipped-Numbers')} numbers counted"


def stated(_: Path) -> str:
    """Encode a black image with one number beyond the range of pictures, which is a law."""
    samples = np.zeros((1, 784), np.float32)
    samples[0, 0] = 1.5
    body = json.dumps({"samples": samples.tolist()}).encode()
    return described(*ask(f"/v1/models/{MODEL}/encode", body, {"Content-Type": "application/json"}))


def start(**variables: str) -> Callable[[Path], str]:
    """Return a trial that starts the server with variables, and returns its address or why it ended."""

    def trial(_: Path) -> str:
        import app

        assert app.__file__ is not None
        models = Path(app.__file__).parents[1] / "models"
        named = {f"HOURGLASS_{name}": value for name, value in {"MODELS_DIR": str(models), **variables}.items()}
        process = subprocess.Popen(
            [sys.executable, "-m", "app"], env={**os.environ, **named}, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        limit = threading.Timer(START_SECONDS, process.kill)
        limit.start()
        notes: list[str] = []
        for line in process.stderr:
            if match := re.search(r"Uvicorn running on (\S+)", line):
                process.terminate()
                process.wait(30)
                limit.cancel()
                return " | ".join([f"listens on {match[1]}", *notes])
            if "unknown" in line or line.startswith("hourglass:"):
                notes.append(" ".join(line.split()))
        limit.cancel()
        return f"exit {process.wait(30)}: {' | '.join(notes)}"

    return trial


def prefixed(path: str) -> Callable[[Path], str]:
    """Return a trial that asks a server whose root path is /ae."""
    return lambda _: described(*ask(path, address=bundled(ROOT_PATH="/ae")))


def servers(_: Path) -> str:
    """Return the servers that the document names under a root path."""
    return json.dumps(json.loads(ask("/openapi.json", address=bundled(ROOT_PATH="/ae"))[2]).get("servers"))


def preflight(origin: str = ORIGIN, **settings: str) -> Callable[[Path], str]:
    """Return a trial with the question of a browser whether a page may post to the server."""

    def trial(_: Path) -> str:
        wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        address, path = bundled(**settings), f"/v1/models/{MODEL}/generate"
        status, headers, __ = ask(path, None, {"Origin": origin, **wanted}, address, "OPTIONS")
        names = ("Allow-Origin", "Allow-Methods", "Allow-Headers")
        return f"{status} " + "; ".join(f"{name}: {headers.get(f'Access-Control-{name}')}" for name in names)

    return trial


def exposed(query: str) -> Callable[[Path], str]:
    """Return a trial with a request of a page, whose script may read some headers of the answer."""

    def trial(_: Path) -> str:
        address = bundled(CORS_ORIGINS=ORIGIN)
        status, headers, __ = ask(f"/v1/models/{MODEL}/generate{query}", b"", {"Origin": ORIGIN}, address)
        allowed, names = (headers.get(f"Access-Control-{name}") for name in ("Allow-Origin", "Expose-Headers"))
        return f"{status} {allowed}; {names}"

    return trial


KUBERNETES = {
    "PORT": "tcp://10.96.7.1:8000",
    "SERVICE_HOST": "10.96.7.1",
    "SERVICE_PORT": "8000",
    "PORT_8000_TCP": "tcp://10.96.7.1:8000",
    "PORT_8000_TCP_ADDR": "10.96.7.1",
}
CLIPPED = "^200, all of [1-9][0-9]* counted, as clipped"
ALLOWED = rf"^20[04] Allow-Origin: {ORIGIN}; Allow-Methods: .*POST.*; Allow-Headers: .*content-type"

CASES = [
    Case("9.1", "1 000 new pictures of the training data's distribution", fresh, CLIPPED),
    Case("9.2", "one float32 step beyond the range found", one_step, CLIPPED),
    Case("9.3", "one picture far beyond among 100", an_outlier, "^200, 256 numbers counted, the others same"),
    Case("9.4", "a picture beyond the range, with /v2", by_protocol, "^200 .*, 256 numbers counted"),
    Case("9.5", "beyond 0 to 1, the range of pictures, which is a law", stated, "^422 .*out-of-range"),
    Case("12.1", "Kubernetes' variables of a service named hourglass", start(**KUBERNETES), ADDRESS),
    Case("12.2", "those of a service with a named port", start(
        **KUBERNETES, SERVICE_PORT_HTTP="8000", PORT_8000_TCP_PROTO="tcp", PORT_8000_TCP_PORT="8000"), ADDRESS),
    Case("12.3", "those of hourglass and of hourglass-web", start(
        **KUBERNETES, WEB_SERVICE_HOST="10.96.7.2", WEB_PORT_80_TCP="tcp://10.96.7.2:80"), ADDRESS),
    Case("12.4", "those of a service with UDP", start(
        PORT="udp://10.96.7.1:8125", PORT_8125_UDP="udp://10.96.7.1:8125"), ADDRESS),
    Case("12.5", "a port that is no port", start(PORT="eight"), "^exit 1: hourglass: HOURGLASS_PORT: .*eight"),
    Case("13.1", "the document under HOURGLASS_ROOT_PATH=/ae", servers, r'"url": "/ae"'),
    Case("13.2", "the proxy keeps the prefix", prefixed("/ae/v1/models"), '^200 .*?"name":"mnist-ae"'),
    Case("13.3", "the proxy removes the prefix", prefixed("/v1/models"), '^200 .*?"name":"mnist-ae"'),
    Case("13.4", "the page of the documentation with the prefix", prefixed("/ae/docs"), "^200 text/html"),
    Case("13.5", "preflight of an allowed origin", preflight(CORS_ORIGINS=ORIGIN), ALLOWED),
    Case("13.6", "preflight of one of two allowed origins", preflight(CORS_ORIGINS=f"https://a.b,{ORIGIN}"), ALLOWED),
    Case("13.7", "preflight of another origin", preflight(
        "http://localhost:3001", CORS_ORIGINS=ORIGIN), "Allow-Origin: None"),
    Case("13.8", "preflight without the setting", preflight(), "Allow-Origin: None"),
    Case("13.9", "headers that a page may read", exposed("?count=1"), f"^200 {ORIGIN}; .*X-Seed"),
    Case("13.10", "the same of an error", exposed("?n=1"), f"^422 {ORIGIN}; .*X-Request-ID"),
]  # fmt: skip
