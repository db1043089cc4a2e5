"""Clients of HTTP: their heads, the media types that they name, `.npy` files, options and answers."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.cases.case import Case
from bench.cases.trial import ROOT
from bench.cases.wire import BLACK, MODEL, ask, asked, described, post, raw

ENCODE, DECODE = f"/v1/models/{MODEL}/encode", f"/v1/models/{MODEL}/decode"
ZEROS = json.dumps({"samples": [[0] * 784]}).encode()
"""One black image as JSON."""
LATENTS = rf"^200 application/json .*\[\[{BLACK}"
SEVEN = r"^200 application/json .*\[\[-2\.38370\d*,-1\.0871\d*\]\]"
"""The latents of docs/images/digit.png, as onnxruntime gives them for the bundled graph."""


def picture(image_format: str) -> bytes:
    """Return a file of a black image."""
    file = io.BytesIO()
    Image.new("L", (28, 28)).save(file, image_format)
    return file.getvalue()


def encoded(body: bytes, media_type: str | None) -> Callable[[Path], str]:
    """Return a trial that encodes a body under a media type; curl and urllib name one of their own for None."""
    return asked(ENCODE, body, {} if media_type is None else {"Content-Type": media_type})


def npy(
    version: tuple[int, int] = (1, 0), descr: str = "<f4", shape: str = "(1, 784)", fortran: bool = False, size: int = 0
) -> Callable[[Path], str]:
    """Return a trial with a `.npy` file of zeros, whose header is written by hand."""
    header = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    length = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    numbers = bytes(size or 784 * int(descr[-1]))
    return encoded(b"\x93NUMPY" + bytes(version) + length + header + numbers, "application/x-npy")


def digit(dtype: str) -> Callable[[Path], str]:
    """Return a trial with the pixels of docs/images/digit.png, whose latents are known, as a `.npy` file."""
    file = io.BytesIO()
    np.save(file, np.asarray(Image.open(ROOT / "docs" / "images" / "digit.png").convert("L"), dtype)[None])
    return encoded(file.getvalue(), "application/x-npy")


def upgrade(*lines: str) -> Callable[[Path], str]:
    """Return a trial that posts a black image and offers another protocol."""
    return raw(post(ENCODE, ZEROS, *lines))


def long_header(size: int, count: int = 1) -> Callable[[Path], str]:
    """Return a trial with headers of many bytes."""
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"a" * size) for number in range(count))
    return raw(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + lines + b"\r\n")


def scaled(scale: int) -> Callable[[Path], str]:
    """Return a trial that compares a picture with its enlargement, which must repeat each pixel."""

    def trial(_: Path) -> str:
        body = json.dumps({"latents": [[0, 0.5]]}).encode()
        headers = {"Accept": "image/png", "Content-Type": "application/json"}
        small, large = (ask(f"{DECODE}{query}", body, headers) for query in ("", f"?scale={scale}"))
        if large[0] != 200:
            return described(*large)
        pixels, enlarged = (np.asarray(Image.open(io.BytesIO(answer[2]))) for answer in (small, large))
        same = np.array_equal(pixels.repeat(scale, 0).repeat(scale, 1), enlarged)
        return f"200 {enlarged.shape[0]}x{enlarged.shape[1]}, pixels {'repeated' if same else 'differ'}"

    return trial


def compressed(accept: str, count: int = 200) -> Callable[[Path], str]:
    """Return a trial that compares a JSON answer with the same one from a client that accepts no coding."""

    def trial(_: Path) -> str:
        path = f"/v1/models/{MODEL}/generate?count={count}&seed=1"
        __, headers, body = ask(path, b"", {"Accept-Encoding": accept})
        coding = headers.get("Content-Encoding")
        plain = gzip.decompress(body) if coding == "gzip" else zlib.decompress(body) if coding else body
        same = plain == ask(path, b"", {"Accept-Encoding": "identity"})[2]
        return f"{coding or 'plain'}, {'the same' if same else 'another'} answer, {len(body) / len(plain):.2f} of it"

    return trial


WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
GET_WEBSOCKET = "\r\n".join(["GET /livez HTTP/1.1", "Host: a", *WEBSOCKET, "", ""]).encode()
KNOWN = r"^422 .*there is no such option here; the options are "
REFUSED = "^400 "
TOO_LARGE = "^(431 |ConnectionResetError)"
PLAIN, JPEG, PNG, TIFF = json.loads(ZEROS), picture("JPEG"), picture("PNG"), picture("TIFF")


def row(number: str, situation: str, run: Callable[[Path], str], right: str = LATENTS) -> Case:
    """Return a case; by default, the latents of a black image are right."""
    return Case(number, situation, run, right)


CONNECTIONS = [
    row("A1", "POST that offers h2c, as Java's HttpClient", upgrade(
        "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ")),
    row("A3", "POST that offers TLS/1.2", upgrade("Connection: Upgrade", "Upgrade: TLS/1.2")),
    row("A5", "POST that offers websocket", upgrade(*WEBSOCKET)),
    row("A5.2", "POST that offers an unknown protocol", upgrade("Connection: upgrade", "Upgrade: mine/3")),
    row("A6", "a header of 1 MB", long_header(1_000_000), TOO_LARGE),
    row("A6.2", "2 000 headers of 100 bytes", long_header(100, 2000), TOO_LARGE),
    row("A6.3", "a header of 8 000 bytes", long_header(8000), "^200 "),
    row("A8", "HTTP/1.1 without Host", raw(post(ENCODE, ZEROS, host=False)), REFUSED),
    row("A8.2", "HTTP/1.1 with two Hosts", raw(post(ENCODE, ZEROS, "Host: b")), REFUSED),
    row("A8.3", "HTTP/1.0 without Host", raw(post(ENCODE, ZEROS, version="HTTP/1.0", host=False))),
    row("A10", "GET /livez HTTP/2.0", raw(b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n"), "^(505|400) "),
    row("A11", "GET /livez of HTTP/0.9", raw(b"GET /livez\r\n\r\n"), "^(505|400) "),
    row("A13", "GET with a handshake of websocket", raw(GET_WEBSOCKET), r"^(200|4\d\d application/problem\+json) "),
]  # fmt: skip
MEDIA_TYPES = [
    row("14.1", "a JPEG named image/jpg", encoded(JPEG, "image/jpg")),
    row("14.2", "a PNG named image/jpeg", encoded(PNG, "image/jpeg")),
    row("14.3", "a PNG named image/x-png", encoded(PNG, "image/x-png")),
    row("14.4", "a JPEG named image/pjpeg", encoded(JPEG, "image/pjpeg; q=1")),
    row("14.5", "JSON under curl's default type", encoded(ZEROS, "application/x-www-form-urlencoded")),
    row("14.6", "a PNG as application/octet-stream", encoded(PNG, "application/octet-stream")),
    row("14.7", "JSON as text/plain", encoded(ZEROS, "text/plain; charset=utf-8")),
    row("14.8", "a TIFF named image/png", encoded(TIFF, "image/png"), r"^415 .*expected a body of .* got 'image/tiff'"),
    row("14.9", "a cut PNG named image/png", encoded(PNG[:50], "image/png"), "^422 .*PNG"),
]
NPY_FILES = [
    row("B1", ".npy of shape (True, 784)", npy(shape="(True, 784)"), "^400 .*malformed-body"),
    row("B1.2", ".npy of shape (1.0, 784)", npy(shape="(1.0, 784)"), "^400 .*malformed-body"),
    row("B1.3", ".npy of shape (-1, 784)", npy(shape="(-1, 784)"), "^400 .*malformed-body"),
    row("B1.4", ".npy of shape 784, a number", npy(shape="784"), "^400 .*malformed-body"),
    row("B1.5", ".npy of 10^30 rows", npy(shape="(10**30, 784)"), "^400 .*malformed-body"),
    row("B2", ".npy 3.0", npy((3, 0))),
    row("B2.2", ".npy 3.0, float64 in Fortran order", npy((3, 0), "<f8", fortran=True)),
    row("B2.3", ".npy 3.0, big-endian int16", npy((3, 0), ">i2")),
    row("B2.4", ".npy 2.0, booleans", npy((2, 0), "|b1")),
    row("B2.5", ".npy 1.0 as Python 2 wrote it", npy(shape="(1L, 784L)")),
    row("B4", ".npy 1.1", npy((1, 1)), r"^400 .*version 1\.0, 2\.0 or 3\.0, got 1\.1"),
    row("B4.2", ".npy 4.0", npy((4, 0)), r"^400 .*version 1\.0, 2\.0 or 3\.0, got 4\.0"),
    row("B4.3", ".npy of objects", npy(descr="|O8"), "^4(00|22) .*numbers"),
]
LEVELS = [
    row("U.1", "uint8 pixels of a picture", digit("u1"), SEVEN),
    row("U.2", "the same, from 0 to 255 as int64", digit("i8"), "^422 .*out-of-range"),
    row("U.3", "uint8 pixels that are all 0", npy(descr="|u1")),
    row("U.4", "uint8 pixels with /v2", asked(f"/v2/models/{MODEL}.encode/infer", {"inputs": [
        {"name": "samples", "shape": [1, 784], "datatype": "UINT8", "data": [255] * 784}]}), '^200 .*"latents"'),
]  # fmt: skip
OPTIONS = [
    row("O.1", "encode?smaple=true", asked(f"{ENCODE}?smaple=true", PLAIN), f"{KNOWN}sample, seed"),
    row("O.2", "generate?n=5", asked(f"/v1/models/{MODEL}/generate?n=5", b""), f"{KNOWN}.*count"),
    row("O.3", "decode?size=4", asked(f"{DECODE}?size=4", {"latents": [[0, 0]]}), f"{KNOWN}.*scale"),
    row("O.4", "interpolate?count=4", asked(
        f"/v1/models/{MODEL}/interpolate?count=4", {"samples": [[0] * 784] * 2}), f"{KNOWN}.*steps"),
    row("O.5", "a picture with scale=4", scaled(4), "^200 112x112, pixels repeated"),
    row("O.6", "a picture with scale=3", scaled(3), "^200 84x84, pixels repeated"),
    row("O.7", "a picture with scale=0", scaled(0), "^422 .*scale"),
    row("O.8", "a picture with scale=33", scaled(33), "^422 .*scale.*32"),
]  # fmt: skip
ANSWERS = [
    row("C.1", "1.6 MB of JSON, gzip accepted", compressed("gzip, deflate, br"), r"^gzip, the same answer, 0\.[0-6]"),
    row("C.2", "1.6 MB of JSON, only deflate accepted", compressed("deflate"), r"^deflate, the same answer, 0\.[0-6]"),
    row("C.3", "gzip excluded by q=0", compressed("gzip;q=0"), r"^plain, the same answer, 1\.00"),
    row("C.4", "one small sample, gzip accepted", compressed("gzip", 1), r"^plain, the same answer, 1\.00"),
]

CASES: list[Any] = [*CONNECTIONS, *MEDIA_TYPES, *NPY_FILES, *LEVELS, *OPTIONS, *ANSWERS]
