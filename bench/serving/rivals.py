"""
LitServe, BentoML, MLServer and Ray Serve, each in an environment of its own, with batching on.

An environment is `.bench/<name>`, made from `bench/requirements/<name>.txt`; the applications are in `rival_apps`,
which only the rivals' interpreters import. Their docstrings say which documentation was followed and what was tried.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import orjson

from bench.serving.contender import Array, Contender, Inputs, Load, Request
from bench.serving.contenders import rows_as_json, rows_as_npy
from bench.serving.questions import ROWS_OF

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".bench"
APPS = Path(__file__).parent / "rival_apps"

JSON = {"Content-Type": "application/json"}
NPY = {"Content-Type": "application/x-npy"}
PNG = {"Content-Type": "image/png"}
BOUNDARY = "a-part-of-the-form"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def installed(contender: Contender) -> bool:
    """Whether the environment of a rival is there."""
    return (ENVIRONMENTS / contender.name / "bin" / "python").exists()


def start_litserve(port: int, folder: Path) -> list[str]:
    """A script that runs its server."""
    return command("litserve", port, folder, "python", str(APPS / "litserve_app.py"))


def start_bentoml(port: int, folder: Path) -> list[str]:
    """`bentoml serve`, as it is for production."""
    where = ["--host", "127.0.0.1", "--port", str(port), "--working-dir", str(APPS)]
    return command("bentoml", port, folder, "bentoml", "serve", "bentoml_app:AutoencoderService", *where)


def start_mlserver(port: int, folder: Path) -> list[str]:
    """`mlserver start`; its gRPC server cannot be left out and needs a port too."""
    ports = [f"MLSERVER_HTTP_PORT={port}", f"MLSERVER_GRPC_PORT={free_port()}"]
    return ["env", *ports, *command("mlserver", port, folder, "mlserver", "start", str(APPS / "mlserver_models"))]


def start_ray(port: int, folder: Path) -> list[str]:
    """A script that starts Ray and Serve; the port asked is the replica's own, from a range without its end."""
    lowest, highest = "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT", "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT"
    ports = [f"{lowest}={port}", f"{highest}={port + 1}"]
    return ["env", *ports, *command("ray", free_port(), folder, "python", str(APPS / "ray_app.py"))]


def command(name: str, port: int, folder: Path, program: str, *words: str) -> list[str]:
    """A program of a rival's environment, which finds the model's folder and its own port in variables."""
    variables = [f"BENCH_FOLDER={folder}", f"BENCH_PORT={port}", f"PYTHONPATH={APPS}"]
    return ["env", *variables, str(ENVIRONMENTS / name / "bin" / program), *words]


def free_port() -> int:
    """One that nothing listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def litserve_requests(inputs: Inputs) -> Mapping[Load, Request]:
    """One path; it takes JSON and forms, so files are parts of a form."""
    npy, png = rows_as_npy(inputs.samples), inputs.png
    return {
        **json_requests(inputs, "/predict", "/predict"),
        "binary-32": Request("/predict", form("npy", "application/x-npy", npy), FORM),
        "png": Request("/predict", form("image", "image/png", png), FORM),
    }


def bentoml_requests(inputs: Inputs) -> Mapping[Load, Request]:
    """A path for each method; a list of images is a form."""
    return {
        **json_requests(inputs, "/encode", "/decode"),
        "binary-32": Request("/encode_npy", rows_as_npy(inputs.samples), NPY),
        "png": Request("/encode_images", form("images", "image/png", inputs.png), FORM),
    }


def mlserver_requests(inputs: Inputs) -> Mapping[Load, Request]:
    """The V2 protocol, which has no images; the REST side of MLServer does not know its extension for binary data."""
    encode, decode = "/v2/models/encoder/infer", "/v2/models/decoder/infer"
    return {
        "json-1": Request(encode, as_tensor("samples", inputs.samples[:1]), JSON),
        "json-32": Request(encode, as_tensor("samples", inputs.samples), JSON),
        "decode-32": Request(decode, as_tensor("latents", inputs.latents), JSON),
    }


def ray_requests(inputs: Inputs) -> Mapping[Load, Request]:
    """A path for each kind of body."""
    return {
        **json_requests(inputs, "/encode", "/decode"),
        "binary-32": Request("/encode.npy", rows_as_npy(inputs.samples), NPY),
        "png": Request("/encode.png", inputs.png, PNG),
    }


def json_requests(inputs: Inputs, encode: str, decode: str) -> dict[Load, Request]:
    """Flat rows under a name."""
    flat = inputs.samples.reshape(len(inputs.samples), -1)
    return {
        "json-1": Request(encode, rows_as_json("samples", flat[:1]), JSON),
        "json-32": Request(encode, rows_as_json("samples", flat), JSON),
        "decode-32": Request(decode, rows_as_json("latents", inputs.latents), JSON),
    }


def as_tensor(name: str, rows: Array) -> bytes:
    """A V2 request with flat numbers."""
    tensor = {"name": name, "shape": rows.shape, "datatype": "FP32", "data": rows.reshape(-1)}
    return orjson.dumps({"inputs": [tensor]}, option=orjson.OPT_SERIALIZE_NUMPY)


def form(name: str, content_type: str, content: bytes) -> bytes:
    """A form with one file."""
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{name}"'
    head = f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: {content_type}\r\n\r\n"
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def read_file(load: Load, body: bytes) -> Array:
    """Rows under a name, or as a `.npy` file."""
    if load != "binary-32":
        return as_rows(load, orjson.loads(body)["samples" if load == "decode-32" else "latents"])
    rows = np.load(io.BytesIO(body))
    assert rows.dtype == np.float32, rows.dtype
    return as_rows(load, rows)


def read_bentoml(load: Load, body: bytes) -> Array:
    """Rows without a name: the answer of a method that returns an array."""
    return read_file(load, body) if load == "binary-32" else as_rows(load, orjson.loads(body))


def read_mlserver(load: Load, body: bytes) -> Array:
    """A V2 response."""
    return as_rows(load, orjson.loads(body)["outputs"][0]["data"])


def as_rows(load: Load, numbers: object) -> Array:
    """As many as were asked for, flat."""
    return np.array(numbers, np.float32).reshape(ROWS_OF[load], -1)


BENTOML = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(ENVIRONMENTS / "bentoml" / "home")}
MLSERVER = {
    f"MLSERVER_{name}_DIR": str(ENVIRONMENTS / "mlserver" / name.lower()) for name in ("ENVIRONMENTS", "METRICS")
}
RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # What macOS and Windows have by default: every port of Ray on the loopback address alone.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}

RIVALS: list[Contender] = [
    Contender("litserve", start_litserve, litserve_requests, read_file, ready="/health"),
    Contender("bentoml", start_bentoml, bentoml_requests, read_bentoml, BENTOML, ready="/readyz"),
    Contender("mlserver", start_mlserver, mlserver_requests, read_mlserver, MLSERVER, ready="/v2/health/ready"),
    Contender("ray", start_ray, ray_requests, read_file, RAY, ready="/", start_seconds=240),
]
