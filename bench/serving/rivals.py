"""
LitServe, BentoML, MLServer and Ray Serve, each in an environment of its own, with batching on.

An environment is the folder `.bench/<name>`, made from `bench/requirements/<name>.txt`. The applications are in
`rival_apps`; only the rivals' interpreters import them. Their docstrings name the documentation that was followed and
the settings that were tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from bench.serving.loads import Array, Inputs, Load, Request, flat_rows, json_requests, read_rows, rows_as_npy
from bench.serving.processes import free_port
from bench.serving.servers import ROOT, Contender
from bench.serving.v2 import read_v2, v2_requests

ENVIRONMENTS = ROOT / ".bench"
APPS = Path(__file__).parent / "rival_apps"
NPY = {"Content-Type": "application/x-npy"}
PNG = {"Content-Type": "image/png"}
BOUNDARY = "a-part-of-the-form"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def start_litserve(port: int, folder: Path) -> list[str]:
    """Return the command of a script that runs LitServe's server."""
    return rival_command("litserve", port, folder, "python", str(APPS / "litserve_app.py"))


def start_bentoml(port: int, folder: Path) -> list[str]:
    """Return `bentoml serve` as its documentation recommends it for production."""
    options = ["--host", "127.0.0.1", "--port", str(port), "--working-dir", str(APPS)]
    return rival_command("bentoml", port, folder, "bentoml", "serve", "bentoml_app:AutoencoderService", *options)


def start_mlserver(port: int, folder: Path) -> list[str]:
    """Return `mlserver start`. Its gRPC server cannot be switched off and needs a port too."""
    ports = [f"MLSERVER_HTTP_PORT={port}", f"MLSERVER_GRPC_PORT={free_port()}"]
    return ["env", *ports, *rival_command("mlserver", port, folder, "mlserver", "start", str(APPS / "mlserver_models"))]


def start_ray(port: int, folder: Path) -> list[str]:
    """Return the command of a script that starts Ray Serve. The port is the replica's own; a range excludes its end."""
    lowest, highest = "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT", "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT"
    ports = [f"{lowest}={port}", f"{highest}={port + 1}"]
    return ["env", *ports, *rival_command("ray", free_port(), folder, "python", str(APPS / "ray_app.py"))]


def rival_command(name: str, port: int, folder: Path, program: str, *arguments: str) -> list[str]:
    """Return the command of a program in a rival's environment, with the model's folder and the port in variables."""
    variables = [f"BENCH_FOLDER={folder}", f"BENCH_PORT={port}", f"PYTHONPATH={APPS}"]
    return ["env", *variables, str(ENVIRONMENTS / name / "bin" / program), *arguments]


def litserve_requests(inputs: Inputs) -> Mapping[Load, Request]:
    """Return requests to LitServe's one path, which accepts JSON and forms: files are parts of a form."""
    npy = form("npy", "application/x-npy", rows_as_npy(inputs.samples))
    return {
        **json_requests(inputs, "/predict", "/predict"),
        "binary-32": Request("/predict", npy, FORM),
        "png": Request("/predict", form("image", "image/png", inputs.png), FORM),
    }


def bentoml_requests(inputs: Inputs) -> Mapping[Load, Request]:
    """Return requests to BentoML, which has a path for each method and takes a list of images as a form."""
    return {
        **json_requests(inputs, "/encode", "/decode"),
        "binary-32": Request("/encode_npy", rows_as_npy(inputs.samples), NPY),
        "png": Request("/encode_images", form("images", "image/png", inputs.png), FORM),
    }


def mlserver_requests(inputs: Inputs) -> Mapping[Load, Request]:
    """Return V2 requests. MLServer's REST side supports neither images nor the protocol's binary data."""
    return v2_requests(inputs, "encoder", "decoder", has_binary_data=False)


def ray_requests(inputs: Inputs) -> Mapping[Load, Request]:
    """Return requests to Ray, whose application has a path for each kind of body."""
    return {
        **json_requests(inputs, "/encode", "/decode"),
        "binary-32": Request("/encode.npy", rows_as_npy(inputs.samples), NPY),
        "png": Request("/encode.png", inputs.png, PNG),
    }


def form(name: str, content_type: str, content: bytes) -> bytes:
    """Write a form with one file."""
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{name}"'
    head = f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: {content_type}\r\n\r\n"
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def read_bentoml(load: Load, body: bytes) -> Array:
    """Read rows without a member name: the answer of a method that returns an array."""
    return read_rows(load, body) if load == "binary-32" else flat_rows(load, orjson.loads(body))


BENTOML = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(ENVIRONMENTS / "bentoml" / "home")}
MLSERVER = {
    f"MLSERVER_{name}_DIR": str(ENVIRONMENTS / "mlserver" / name.lower()) for name in ("ENVIRONMENTS", "METRICS")
}
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # The default on macOS and Windows: Ray's ports listen only on the loopback address.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}

RIVALS: list[Contender] = [
    Contender("litserve", start_litserve, litserve_requests, ready="/health"),
    Contender("bentoml", start_bentoml, bentoml_requests, read_bentoml, BENTOML, ready="/readyz"),
    Contender("mlserver", start_mlserver, mlserver_requests, read_v2, MLSERVER, ready="/v2/health/ready"),
    Contender("ray", start_ray, ray_requests, environment=RAY, ready="/", start_seconds=240),
]
