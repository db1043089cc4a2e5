"""
Prove the finished image in its own build: every model, module, format and page works with what is left in it.

The build runs it with the image's Python, files and user, and stops if anything fails.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import importlib
import importlib.util
import io
import json
import os
import pkgutil
import re
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

MISSING_ON_PURPOSE = ("onnx", "opentelemetry.sdk", "opentelemetry.exporter", "grpc", "google.protobuf")
"""Packages that only `hourglass import`, the export of traces and gRPC need."""
BOUNDARY = "between-two-parts"
MAX_START_LINES = 200
HEADER_LENGTH = "Inference-Header-Content-Length"
READY = re.compile(r"Uvicorn running on http://[\d.]+:(\d+)")


def import_everything() -> None:
    """Import every module of the application, and every package in the environment."""
    import app

    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                if not str(error.name).startswith(MISSING_ON_PURPOSE):
                    raise
    for name in packages_distributions():
        if not name.endswith(".libs"):
            importlib.import_module(name)
    assert ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).get_ciphers()


def check_models() -> None:
    """Check the golden samples of every bundled model with the command itself."""
    ended = subprocess.run(["hourglass", "check"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    sys.stdout.write(ended.stdout)


@contextmanager
def serving(**settings: str) -> Iterator[int]:
    """Start the server, and give its port once it listens."""
    variables = {f"HOURGLASS_{name.upper()}": value for name, value in settings.items()}
    environment = {**os.environ, "HOURGLASS_PORT": "0", "HOURGLASS_DRAIN_SECONDS": "0", **variables}
    process = subprocess.Popen(["hourglass"], env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if found := READY.search(line):
                yield int(found[1])
                break
            assert len(lines) < MAX_START_LINES, "".join(lines)
        else:
            raise AssertionError("".join(lines))
    finally:
        process.terminate()
        process.stderr.close()
        process.wait(timeout=60)
    assert process.returncode == 0, process.returncode


def request(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
    """Send a request and return the body of the answer, which must be 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, names)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 200, (method, path, headers, answer.status, content[:500])
    return gzip.decompress(content) if answer.headers["Content-Encoding"] == "gzip" else content


def picture(kind: str) -> bytes:
    """Return a picture in a format."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 100, 50)).save(stream, kind)
    return stream.getvalue()


def npy(rows: Any) -> bytes:
    """Return numbers as numpy writes them."""
    stream = io.BytesIO()
    np.save(stream, np.array(rows, np.float32))
    return stream.getvalue()


def try_pages(port: int, key: str) -> None:
    """Ask for every page and probe."""
    for path in ("/livez", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json", "/v1/models", "/v2"):
        assert request(port, "GET", path, Authorization=f"Bearer {key}")
    assert request(port, "GET", "/openapi.json", X_API_Key=key, Accept_Encoding="gzip")


def try_model(port: int, key: str, manifest: dict[str, Any]) -> None:
    """Send a model its input in every format, and take its output in every format."""
    at = f"/v1/models/{manifest['name']}"
    image = manifest["input"]["kind"] == "image"
    sample = np.zeros(manifest["input"]["shape"] if image else len(manifest["input"]["feature_names"])).tolist()
    document = json.dumps({"samples": [sample, sample]}).encode()
    auth = {"X_API_Key": key}
    latents = json.loads(request(port, "POST", f"{at}/encode", document, Content_Type="application/json", **auth))
    packed = gzip.compress(document)
    headers = {"Content_Type": "application/json", "Content_Encoding": "gzip", "Accept_Encoding": "gzip", **auth}
    request(port, "POST", f"{at}/reconstruct", packed, **headers)
    headers = {"Content_Type": "application/x-npy", "Accept": "application/x-npy", **auth}
    rows = np.load(io.BytesIO(request(port, "POST", f"{at}/decode", npy(latents["latents"]), **headers)))
    assert len(rows) == 2, rows.shape
    tensor = {"name": "samples", "shape": [1, *np.shape(sample)], "datatype": "FP32"}
    listed = json.dumps({"inputs": [{**tensor, "data": [sample]}]}).encode()
    infer = f"/v2/models/{manifest['name']}.encode/infer"
    request(port, "POST", infer, listed, Content_Type="application/json", **auth)
    content = np.array(sample, "<f4").tobytes()
    header = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": len(content)}}]}).encode()
    headers = {HEADER_LENGTH: str(len(header)), **auth}
    request(port, "POST", infer, header + content, **headers)
    if "generate" in manifest["tasks"]:
        request(port, "POST", f"{at}/generate?count=4&seed=1", None, **auth)
    if "score" in manifest["tasks"]:
        request(port, "POST", f"{at}/score?alpha=0.1", document, Content_Type="application/json", **auth)
    if image:
        try_images(port, at, auth)


def try_images(port: int, at: str, auth: dict[str, str]) -> None:
    """Send a model images in every format, in every kind of body, and take a picture."""
    pictures = {f"image/{kind}": picture(kind) for kind in ("png", "jpeg", "webp")}
    for media_type, content in pictures.items():
        assert request(port, "POST", f"{at}/encode", content, Content_Type=media_type, **auth)
    headers = {"Content_Type": "image/png", "Accept": "image/png", **auth}
    answer = request(port, "POST", f"{at}/reconstruct", pictures["image/png"], **headers)
    assert Image.open(io.BytesIO(answer)).format == "PNG"
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'.encode() + content + b"\r\n"
        for content in pictures.values()
    ]
    form = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    request(port, "POST", f"{at}/encode", form, Content_Type=f"multipart/form-data; boundary={BOUNDARY}", **auth)
    texts = [base64.b64encode(content).decode() for content in pictures.values()]
    document = json.dumps({"images": texts}).encode()
    request(port, "POST", f"{at}/encode", document, Content_Type="application/json", **auth)


def free_port() -> int:
    """Return a port of the loopback address that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def try_grpc(port: int) -> None:
    """Ask over gRPC whether the server serves."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=60)
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=60)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING, answer


def main() -> None:
    """Prove everything."""
    assert sys.getfilesystemencoding() == "utf-8", sys.getfilesystemencoding()
    import_everything()
    check_models()
    with tempfile.TemporaryDirectory() as scratch:
        made = subprocess.run(["hourglass", "key", "proof"], capture_output=True, text=True, check=True)
        keys = Path(scratch, "keys")
        keys.write_text(made.stdout)
        key = made.stderr.split()[-1]
        settings = {"keys_file": str(keys), "rate_limit": "100000/second"}
        if with_grpc := importlib.util.find_spec("grpc") is not None:
            settings["grpc_port"] = str(free_port())
        for workers in ("1", "2"):
            with serving(**settings, workers=workers) as port:
                try_pages(port, key)
                if with_grpc:
                    try_grpc(int(settings["grpc_port"]))
                for manifest in json.loads(request(port, "GET", "/v1/models", X_API_Key=key))["models"]:
                    try_model(port, key, manifest)


if __name__ == "__main__":
    main()
