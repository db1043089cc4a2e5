"""Requests that are wrong on purpose: heads against RFC 9112, and bodies that are expensive."""

from __future__ import annotations

import io
import re
import struct
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.faults.row import Row
from bench.faults.server import Bench, read_all, read_answer
from bench.faults.traffic import post

HOST = b"Host: localhost\r\n"
CHUNKED = b"POST /v1/models/mnist-ae/encode HTTP/1.1\r\nHost: localhost\r\n%bTransfer-Encoding: chunked\r\n\r\n%b"
SECTIONS: dict[str, tuple[bytes, int]] = {
    "3.2, no Host": (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    "3.2, two Hosts": (b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "2.3, HTTP/2.0": (b"GET /livez HTTP/2.0\r\n" + HOST + b"\r\n", 505),
    "2.3, HTTP/0.9": (b"GET /livez\r\n\r\n", 505),
    "2.3, no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "3, a space in the path": (b"GET /live z HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "5, a space before the colon": (b"GET /livez HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "5.2, a folded header": (b"GET /livez HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", 400),
    "5, NUL in a header": (b"GET /livez HTTP/1.1\r\nHost: a\r\nA: \x00\r\n\r\n", 400),
    "5, a bare CR in a header": (b"GET /livez HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n", 400),
    "6.1, another coding": (CHUNKED.replace(b": chunked", b": gzip, chunked") % (b"", b"0\r\n\r\n"), 501),
    "6.1, chunked twice": (CHUNKED.replace(b": chunked", b": chunked, chunked") % (b"", b"0\r\n\r\n"), 400),
    "6.3, both lengths": (CHUNKED % (b"Content-Length: 5\r\n", b"0\r\n\r\n"), 400),
    "6.3, two lengths": (post("/v1/models/mnist-ae/encode").content.replace(b": 0", b": 0\r\nContent-Length: 5"), 400),
    "6.3, a length of +5": (post("/v1/models/mnist-ae/encode").content.replace(b": 0", b": +5"), 400),
    "6.3, a length of -1": (post("/v1/models/mnist-ae/encode").content.replace(b": 0", b": -1"), 400),
    "6.3, a length of 2^80": (post("/v1/models/mnist-ae/encode").content.replace(b": 0", b": %d" % 2**80), 400),
    "7.1, a chunk of size xyz": (CHUNKED % (b"", b"xyz\r\n"), 400),
    "7.1, a chunk of 2^80 bytes": (CHUNKED % (b"", b"%x\r\n" % 2**80), 400),
}
"""By section of RFC 9112."""


def heads(bench: Bench) -> Iterator[Row]:
    """Send requests that RFC 9112 forbids; the connection must end, so that nothing after them is a request."""
    with bench.serve() as server:
        for name, (content, expected) in SECTIONS.items():
            connection = server.connect(content + b"GET /v1/models/hidden HTTP/1.1\r\n" + HOST + b"\r\n")
            answers = read_all(connection, 3)
            status = int(answers.split(b" ")[1]) if answers.startswith(b"HTTP/1.1 ") else 0
            count = len(re.findall(rb"HTTP/1\.1 \d{3} ", answers))
            hidden = answers.count(b"unknown-model") + server.log().count("hidden")
            yield Row(
                f"RFC 9112, section {name}, and a hidden request",
                f"{expected}, one answer",
                f"{status}, {count} answers, {hidden} hidden requests answered",
                status == expected and not hidden and count == 1,
            )


def chunk_flood() -> bytes:
    """Return a PNG of 16 MB with more than a million empty chunks before its pixels."""

    def chunk(kind: bytes, content: bytes = b"") -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(28 * 29)))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"eXIf") * 1_390_000 + pixels + chunk(b"IEND")


def bodies(bench: Bench) -> Iterator[Row]:
    """Send bodies that are expensive or hard to read, and measure how long others wait."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (True, 784), }\n"
    file = io.BytesIO()
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(3136))
    path, as_json = "/v1/models/mnist-ae/encode", {"content_type": "application/json"}
    cases = {
        "a .npy header with the shape (True, 784)": (
            post(path, file.getvalue(), content_type="application/x-npy").content,
            400,
        ),
        "a member with a name of 15 MB": (post(path, b'{"%b": 0}' % (b"a" * 15_000_000), **as_json).content, 422),
        "lists in lists, 100 000 deep": (post(path, b'{"samples": ' + b"[" * 100_000, **as_json).content, 400),
        "a number of 1 MB": (post(path, b'{"samples": [[' + b"1" * 2**20 + b"]]}", **as_json).content, 400),
        "NaN in JSON": (post(path, b'{"samples": [[NaN]]}', **as_json).content, 422),
        "a PNG of 1.39 million empty chunks": (post(path, chunk_flood(), content_type="image/png").content, 422),
        "a model name of 60 000 bytes": (post(f"/v1/models/{'a' * 60_000}/encode", b"{}", **as_json).content, 404),
    }
    with bench.serve() as server, ThreadPoolExecutor(1) as pool:
        for name, (content, expected) in cases.items():
            future = pool.submit(lambda content=content: read_answer(server.connect(content)))  # type: ignore[misc]
            slowest = 0.0
            while not future.done():
                begin = time.monotonic()
                server.status("/livez", 30)
                slowest = max(slowest, time.monotonic() - begin)
            status, body = future.result()
            yield Row(
                name,
                f"{expected}, at most 4 000 bytes; /livez within 1 s",
                f"{status}, {len(body)} bytes; /livez within {slowest:.2f} s",
                status == expected and len(body) < 4000 and slowest < 1,
            )


def document(bench: Bench) -> Iterator[Row]:
    """Ask for the OpenAPI document first."""
    with bench.serve() as server, ThreadPoolExecutor(1) as pool:
        future = pool.submit(server.status, "/openapi.json", 30)
        slowest = 0.0
        while not future.done():
            begin = time.monotonic()
            server.status("/livez", 30)
            slowest = max(slowest, time.monotonic() - begin)
    yield Row(
        "the first GET /openapi.json of a process",
        "200; /livez within 0.5 s",
        f"{future.result()}; /livez within {slowest:.2f} s",
        future.result() == 200 and slowest < 0.5,
    )
