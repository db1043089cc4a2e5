"""
Damaged and huge bodies, sent to a real server, cause no failure and no great cost.

The cost of a body is the growth of the server process's peak resident memory, as Linux counts it: tracemalloc does not
see the memory of Pillow's decoders, simdjson and onnxruntime. It is also the CPU time of the process, which does not
depend on how busy the machine is; on other systems than Linux, it is the time until the answer.
"""

from __future__ import annotations

import io
import math
import os
import struct
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.formats.images import WEBP_COST
from app.formats.json_body import HAS_SIMDJSON, MAX_JSON_LISTS, MAX_JSON_NUMBERS
from app.inputs import ImageInput, ValueRange
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.npy import saved
from tests.helpers.process import serving
from tests.helpers.report import print_line

CASES = 150
"""Bodies of each kind; they take about two seconds."""
SECONDS = 2.0
"""CPU time of one body: one second, doubled for machines that share their cores with others."""
MEBIBYTES = 100.0
PATHS = ["/v1/models/tiny-ae/encode", "/v1/models/colour/reconstruct", "/v1/models/tiny-table/interpolate"]
DECODE = ["/v1/models/tiny-ae/decode", "/v1/models/colour/decode"]
DOCUMENTED = "/v1/models/{model}/"


class Server:
    """A running server, seen by an attacker."""

    def __init__(self, address: str, pid: int, client: httpx.Client) -> None:
        self._address = address
        self._stat = Path(f"/proc/{pid}/stat")
        self._status = Path(f"/proc/{pid}/status")
        self._clear = Path(f"/proc/{pid}/clear_refs")
        self._client = client
        self._paths = client.get(f"{address}/openapi.json").json()["paths"]
        self.answers: Counter[str] = Counter()

    def post(self, path: str, content: bytes, media: str) -> str:
        """Return the code of the answer, or "ok"; the code must be documented, and the answer in time."""
        start = self._seconds()
        answer = self._client.post(f"{self._address}{path}", content=content, headers={"Content-Type": media})
        seconds = self._seconds() - start
        assert seconds < SECONDS
        documented = self._paths[DOCUMENTED + path.rpartition("/")[2]]["post"]["responses"]
        assert answer.status_code < 500, answer.text
        assert str(answer.status_code) in documented
        code = "ok"
        if answer.status_code >= 400:
            code = answer.json()["code"]
            assert code in documented[str(answer.status_code)]["content"][answer.headers["content-type"]]["examples"]
        self.answers[code] += 1
        return code

    def mebibytes_for(self, act: Callable[[], Any]) -> float:
        """Return the rise of the process's peak memory above its memory now, during an action; 0 unless on Linux."""
        if not self._clear.exists():
            act()
            return 0.0
        self._clear.write_text("5")  # resets the peak: man 5 proc
        before = self._read("VmRSS")
        act()
        return self._read("VmHWM") - before

    def _seconds(self) -> float:
        """Return the CPU seconds of the process so far, or the time unless on Linux."""
        if not self._stat.exists():
            return time.perf_counter()
        user, system = self._stat.read_text().rpartition(")")[2].split()[11:13]  # man 5 proc: fields 14 and 15
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _read(self, name: str) -> float:
        line = next(line for line in self._status.read_text().splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) / 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server with the default limits and tiny models: grey images, colour images and a table."""
    root = tmp_path_factory.mktemp("models")
    tiny.write_version(root, "tiny-ae")
    tiny.write_version(root, "tiny-table", kind=tiny.TABLE)
    tiny.write_mirror(root, "colour", ImageInput(shape=(3, 4, 4), value_range=ValueRange(low=0, high=1)))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
            patch.delenv(name)  # tracing each line would multiply the measured time
        yield from attack(root)


def attack(root: Path) -> Iterator[Server]:
    """Start a server, and check its log when it ends."""
    with serving(models_dir=str(root)) as (process, address, log):
        with httpx.Client(timeout=60) as client:
            yield Server(address, process.pid, client)
        assert [line for line in log if "Traceback" in line or "unexpected exception" in line] == []


def image_file(mode: str, name: str, size: tuple[int, int] = (8, 6), **options: Any) -> bytes:
    """Return the file of an image with two colours."""
    stream = io.BytesIO()
    image = Image.new(mode, size)
    image.putpixel((1, 1), 255 if len(image.getbands()) == 1 else (255,) * len(image.getbands()))
    image.save(stream, name, **options)
    return stream.getvalue()


def rotated(name: str) -> bytes:
    """Return the file of an image that lies on its side, according to its EXIF."""
    exif = Image.Exif()
    exif[0x112] = 6
    return image_file("RGB", name, exif=exif)


JSON = [
    b'{"samples": [[0.25, 0.75, 0.5, 0]]}',
    b'{"samples": [[[0, 1], [1, 0]], [[1e-3, 0.5], [0, 0]]]}',
    b'{"samples": [[[[0, 1], [1, 0]]]]}',
    b'{"latents": [[0, -1.5], [2, 3]]}',
]
NPY = [
    saved(np.zeros((2, 4), np.float32)),
    saved(np.ones((2, 1, 2, 2), ">f8"), (2, 0)),
    saved(np.zeros((1, 48), np.uint8)),
    saved(np.asfortranarray(np.zeros((3, 2), np.float16))),
]
PNG = [
    *(image_file(mode, "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    image_file("P", "PNG", transparency=0),
    rotated("PNG"),
]
JPEG = [
    *(image_file(mode, "JPEG") for mode in ("L", "RGB", "CMYK")),
    image_file("RGB", "JPEG", progressive=True),
    rotated("JPEG"),
]
WEBP = [
    image_file("RGB", "WEBP"),
    image_file("RGBA", "WEBP"),
    image_file("RGBA", "WEBP", lossless=True),
    image_file("RGB", "WEBP", save_all=True, append_images=[Image.new("RGB", (8, 6), "red")]),
    rotated("WEBP"),
]
TOKENS = [b"[", b"]", b"{", b"}", b",", b":", b'"', b"NaN", b"-Infinity", b"1e999", b"null", b"true", b"\\u0000", b"-"]
NUMBERS = [struct.pack(order + "I", number) for order in "<>" for number in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 30_000)]


@st.composite
def mutated(draw: st.DrawFn, valid: list[bytes], pieces: list[bytes]) -> bytes:
    """Draw a valid body with up to three changes: bytes overwritten, removed, doubled or added, or its end cut off."""
    body = bytearray(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(1, 3))):
        at, length = draw(st.integers(0, len(body))), draw(st.integers(0, 8))
        match draw(st.sampled_from(["overwrite", "cut", "double", "piece", "piece over", "end"])):
            case "overwrite":
                body[at : at + length] = draw(st.binary(min_size=length, max_size=length))
            case "cut":
                del body[at : at + length]
            case "double":
                body[at:at] = body[at : at + length * 8]
            case "piece":
                body[at:at] = draw(st.sampled_from(pieces))
            case "piece over":
                piece = draw(st.sampled_from(pieces))
                body[at : at + len(piece)] = piece
            case "end":
                del body[max(at, 1) :]
    return bytes(body)


def with_checksums(png: bytes) -> bytes:
    """Return a PNG with correct checksums for its chunks: a decoder stops at a wrong one."""
    body, at = bytearray(png), 8
    while at + 12 <= len(body):
        end = at + 8 + int.from_bytes(body[at : at + 4], "big")
        if end + 4 > len(body):
            break
        body[end : end + 4] = zlib.crc32(body[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(body)


HEADERS = st.builds(
    "{{'descr': {!r}, 'fortran_order': {}, 'shape': {}}}\n".format,
    st.sampled_from(["<f4", ">f8", "<f2", "|b1", "|O", "<c8", "<U4", "|V8", "<M8[s]", "<f16", "x", [("a", "<f4")]]),
    st.sampled_from(["True", "False", "0", "None"]),
    st.lists(st.integers(-2, 5) | st.sampled_from([2**31, 2**63, 10**30, "None", "'a'", "()"]), max_size=5).map(
        lambda shape: f"({','.join(map(str, shape))},)"
    ),
).map(lambda text: b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(32))

KINDS: dict[str, tuple[str, st.SearchStrategy[bytes]]] = {
    "json": ("application/json", mutated(JSON, TOKENS)),
    "npy": ("application/x-npy", mutated(NPY, NUMBERS)),
    "npy-headers": ("application/x-npy", HEADERS),
    "png": ("image/png", mutated(PNG, NUMBERS)),
    "png-checksums": ("image/png", mutated(PNG, NUMBERS).map(with_checksums)),
    "jpeg": ("image/jpeg", mutated(JPEG, NUMBERS)),
    "webp": ("image/webp", mutated(WEBP, NUMBERS)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_bodies_cause_no_failure_and_no_great_cost(
    server: Server, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    media, bodies = KINDS[kind]
    paths = PATHS[:2] if media.startswith("image/") else PATHS + DECODE
    server.answers.clear()

    @settings(
        max_examples=CASES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(path=st.sampled_from(paths), content=bodies)
    def send(path: str, content: bytes) -> None:
        server.post(path, content, media)

    grown = server.mebibytes_for(send)
    print_line(capsys, f"hypothesis: {server.answers.total()} bodies of {kind}: {dict(server.answers.most_common())}")
    assert grown < MEBIBYTES
    assert len(server.answers) > 1, "too tame, or too wild"


def filled(start: bytes, unit: bytes, end: bytes) -> Callable[[], bytes]:
    """Return a maker of the largest body that the server accepts, made of one repeated piece."""
    return lambda: start + unit * ((LARGEST_BODY - len(start) - len(end)) // len(unit)) + end


def blank(mode: str, name: str, **options: Any) -> Callable[[], bytes]:
    """Return a maker of an image with the most pixels, all of one colour: a small file that causes much work."""

    def made() -> bytes:
        stream = io.BytesIO()
        pixels = MOST_PIXELS // WEBP_COST if name == "WEBP" else MOST_PIXELS
        Image.new(mode, (math.isqrt(pixels),) * 2).save(stream, name, **options)
        return stream.getvalue()

    return made


def sideways_exif() -> Image.Exif:
    """Return EXIF of an image that lies on its side."""
    exif = Image.Exif()
    exif[0x112] = 6
    return exif


def default(name: str) -> int:
    """Return the default of a setting."""
    value: int = Settings.model_fields[name].default
    return value


LARGEST_BODY, MOST_PIXELS = default("max_body_bytes"), default("max_pixels")
ROWS, LARGE = b'{"samples":[', "body-too-large"
MOST = f"[{'0.5,' * (MAX_JSON_NUMBERS - 2)}".encode()
JSON_FLOODS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty lists": (LARGE, filled(ROWS + b"[]", b",[]", b"]}")),
    "lists of one": (LARGE, filled(ROWS + b"[0]", b",[0]", b"]}")),
    "numbers": (LARGE, filled(ROWS + b"[0", b",0", b"]]}")),
    "objects": (LARGE, filled(ROWS + b"{}", b",{}", b"]}")),
    "deep lists": (LARGE, filled(ROWS, b"[", b"")),
    "objects in lists": (LARGE, filled(ROWS + b"[{}", b",{}", b"]]}")),
    "images": (LARGE, filled(b'{"images":["aa"', b',"aa"', b"]}")),
    "strings": ("not-numbers", filled(ROWS + b'""', b"," + b'"' + bytes([97]) * 40 + b'"', b"]}")),
    "members": ("not-numbers", filled(b'{"a":0', b',"aaaaaaaaaaaaaaaa":0', b"}")),
    "one string": ("invalid-input", filled(b'{"samples":"', b"a", b'"}')),
    "one number": ("wrong-shape", filled(ROWS + b"[0.", b"1", b"]]}")),
    "as many numbers as may be": ("wrong-shape", lambda: ROWS + MOST + b"1]]}"),
    "as many numbers, and null": ("not-numbers", lambda: ROWS + MOST + b"null]]}"),
    "as many numbers, and a list": ("ragged-rows", lambda: ROWS + MOST + b"[1]]]}"),
    "as many numbers, and NaN": ("not-finite", lambda: ROWS + MOST + b"NaN]]}"),
    "as many lists as may be": ("too-many-rows", lambda: ROWS + b"[0,0]," * (MAX_JSON_LISTS - 2) + b"[0,0]]}"),
    "as many lists, one ragged": ("ragged-rows", lambda: ROWS + b"[0,0]," * (MAX_JSON_LISTS - 2) + b"[0]]}"),
    "as many empty lists": ("too-many-rows", lambda: ROWS + b"[]," * (MAX_JSON_LISTS - 2) + b"[]]}"),
}
IMAGE_FLOODS: dict[str, tuple[str, Callable[[], bytes]]] = {
    **{f"png {mode}": ("image/png", blank(mode, "PNG")) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")},
    "png palette, transparent": ("image/png", blank("P", "PNG", transparency=0)),
    "png on its side": ("image/png", blank("RGB", "PNG", exif=sideways_exif())),
    "jpeg L": ("image/jpeg", blank("L", "JPEG")),
    "jpeg RGB": ("image/jpeg", blank("RGB", "JPEG")),
    "jpeg CMYK": ("image/jpeg", blank("CMYK", "JPEG")),
    "jpeg progressive": ("image/jpeg", blank("RGB", "JPEG", progressive=True, subsampling=0)),
    "jpeg on its side": ("image/jpeg", blank("RGB", "JPEG", exif=sideways_exif())),
    "webp RGB": ("image/webp", blank("RGB", "WEBP")),
    "webp RGBA": ("image/webp", blank("RGBA", "WEBP", lossless=True)),
}
FILE_FLOODS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "bytes": ("too-many-rows", lambda: saved(np.zeros(LARGEST_BODY - 200, np.uint8))),
    "wide bytes": ("wrong-shape", lambda: saved(np.zeros((4096, 4095), np.int8))),
    "fortran": ("wrong-shape", lambda: saved(np.asfortranarray(np.zeros((4000, 4000), np.int8)))),
}


@pytest.mark.skipif(not HAS_SIMDJSON, reason="without simdjson, numbers become Python objects first")
@pytest.mark.parametrize("name", JSON_FLOODS)
def test_large_json_bodies_cost_little(server: Server, name: str) -> None:
    code, make = JSON_FLOODS[name]
    assert cost(server, PATHS[0], make(), "application/json", code) < MEBIBYTES


@pytest.mark.parametrize("name", IMAGE_FLOODS)
def test_large_images_cost_little(server: Server, name: str) -> None:
    media, make = IMAGE_FLOODS[name]
    assert cost(server, PATHS[1], make(), media, "ok") < MEBIBYTES


@pytest.mark.parametrize("name", FILE_FLOODS)
def test_large_files_cost_little(server: Server, name: str) -> None:
    code, make = FILE_FLOODS[name]
    assert cost(server, PATHS[0], make(), "application/x-npy", code) < MEBIBYTES


def cost(server: Server, path: str, content: bytes, media: str, expected: str) -> float:
    """Return the mebibytes that a body costs. Its answer must have the expected code."""
    codes: list[str] = []
    grown = server.mebibytes_for(lambda: codes.append(server.post(path, content, media)))
    assert codes == [expected]
    return grown
