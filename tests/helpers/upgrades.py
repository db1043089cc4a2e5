"""
Clients that offer another protocol with their requests: a JDK's HttpClient, and curl with --http2.

Each sends the same samples in several ways to a server of the bundled models. Every answer must have the right latents.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import orjson
from PIL import Image

from app.arrays import Latents
from app.engine.repository import load_version
from tests.helpers.programs import program

ROOT = Path(__file__).parents[2]
DIGIT = ROOT / "docs" / "images" / "digit.png"
JAVA_PROGRAM = ROOT / "tests" / "system" / "HttpClients.java"
ENCODE = "/v1/models/mnist-ae/encode"
SINGLE = 100
"""Bodies of one sample, each of another one."""
ROWS = 1600
"""Samples of the large body, which has more than MIN_LARGE_BYTES."""
MIN_LARGE_BYTES = 5_000_000
CURL = {
    "single/0": "--data-binary @single/0.json",
    "single/1": "--header 'Transfer-Encoding: chunked' --data-binary @- < single/1.json",
    "image": "--header 'Content-Type: image/png' --data-binary @image.png",
    "image chunked": "--header 'Content-Type: image/png' --request POST --upload-file - < image.png",
    "rows expected": "--header 'Expect: 100-continue' --data-binary @rows.json",
    "rows": "--header 'Expect:' --data-binary @rows.json",
    "rows chunked": "--header 'Transfer-Encoding: chunked' --data-binary @- < rows.json",
    "rows uploaded": "--request POST --upload-file - < rows.json",
}
"""Options of curl, by the bodies that they send."""


def write_bodies(folder: Path) -> dict[str, Latents]:
    """Write an image, a large body of samples, and many of one sample; return the latents of each."""
    samples = np.random.default_rng(0).random((ROWS, 784)).round(3)  # in JSON, few digits
    (folder / "single").mkdir()
    for number, sample in enumerate(samples[:SINGLE]):
        (folder / "single" / f"{number}.json").write_bytes(orjson.dumps({"samples": [sample.tolist()]}))
    large = orjson.dumps({"samples": samples.tolist()})
    assert len(large) > MIN_LARGE_BYTES
    (folder / "rows.json").write_bytes(large)
    shutil.copy(DIGIT, folder / "image.png")
    model = load_version(ROOT / "models" / "mnist-ae" / "1", "mnist-ae", 1)
    pixels = np.asarray(Image.open(DIGIT))[None, None].astype(np.float32) / np.float32(255)
    rows = model.encode(samples.astype(np.float32).reshape(-1, 1, 28, 28))
    single = {f"single/{number}": rows[number : number + 1] for number in range(SINGLE)}
    return {"image": model.encode(pixels), "rows": rows, **single}


def check_jdk(address: str, folder: Path, expected: dict[str, Latents]) -> int:
    """Check the answers to a JDK's client, and return their number."""
    ended = subprocess.run(
        [program("java"), str(JAVA_PROGRAM), address, str(folder)], capture_output=True, text=True, timeout=180
    )
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    for line in lines:
        name, status, version, content = line.split()
        assert (status, version) == ("200", "HTTP_1_1"), name
        body = re.sub("^(sequential|together)-", "single/", name).partition("-")[0]
        check_latents(bytes.fromhex(content), expected[body], name)
    return len(lines)


def check_curl(address: str, folder: Path, expected: dict[str, Latents], *options: str) -> int:
    """Check the answers to curl with these options, and return their number."""
    headers = "--header 'Accept: application/x-npy' --header 'Content-Type: application/json'"
    for name, body in CURL.items():
        mine = headers if "Content-Type" not in body else headers.rpartition(" --header")[0]
        ended = subprocess.run(
            f"{program('curl')} --silent --show-error --max-time 60 --output answer --write-out "
            f"'%{{http_code}} %{{http_version}}' {' '.join(options)} {mine} {address}{ENCODE} {body}",
            shell=True,
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert (ended.returncode, ended.stdout) == (0, "200 1.1"), f"{name}: {ended.stderr}"
        check_latents((folder / "answer").read_bytes(), expected[name.partition(" ")[0]], name)
    return len(CURL)


def check_latents(content: bytes, expected: Latents, name: str) -> None:
    """Compare a `.npy` file with latents; rows that share a run may differ in the last digits."""
    np.testing.assert_allclose(np.load(io.BytesIO(content)), expected, rtol=1e-4, atol=1e-4, err_msg=name)
