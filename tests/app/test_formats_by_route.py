"""Every route of samples or latents reads and writes every format: one request per combination."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.helpers.images import GREY, encoded, form, pictures

Array = npt.NDArray[Any]

UNIT = GREY / 255
BINARY = GREY // 204
FLAT = np.full((2, 1, 2, 2), 102, np.uint8)
"""Images of one level, which lossy formats hardly change."""
LATENTS = np.array([[1, 0.5], [2, 0.25]])


class Body(NamedTuple):
    """A request's body, its media type, and its rows."""

    content: bytes
    media: str
    rows: Array
    tolerance: float = 1e-6


def saved(rows: Array, dtype: str, order: str = "C") -> bytes:
    """Return a `.npy` file."""
    stream = io.BytesIO()
    np.save(stream, np.asarray(rows, dtype=dtype, order=order), allow_pickle=False)  # type: ignore[call-overload]
    return stream.getvalue()


def as_json(member: str, rows: Array) -> bytes:
    """Return a JSON body with one member."""
    return json.dumps({member: rows.tolist()}).encode()


def webps(count: int) -> list[bytes]:
    """Return the first images of GREY as lossless WebP files."""
    return pictures(count, "WEBP", lossless=True)


def in_json(files: list[bytes], prefix: str = "") -> bytes:
    """Return a JSON body with images in base64, each after a prefix."""
    return json.dumps({"images": [prefix + base64.b64encode(file).decode() for file in files]}).encode()


def palette(count: int) -> bytes:
    assert count == 1
    return encoded(Image.fromarray(GREY[0, 0]).convert("RGB").quantize(4))


def sixteen_bits(count: int) -> bytes:
    assert count == 1
    return encoded(Image.fromarray(GREY[0, 0].astype(np.uint16) * 257))


def opaque(count: int) -> bytes:
    assert count == 1
    return encoded(Image.fromarray(GREY[0, 0]).convert("RGBA"))


def turned(count: int) -> bytes:
    """Return an image that is stored rotated, with the EXIF orientation that restores it."""
    assert count == 1
    exif = Image.Exif()
    exif[274] = 6
    return encoded(Image.fromarray(np.rot90(GREY[0, 0]).copy()), exif=exif.tobytes())


JSON, NPY, PNG = "application/json", "application/x-npy", "image/png"

SAMPLES_IN: dict[str, Callable[[int], Body]] = {
    "json, nested": lambda n: Body(as_json("samples", UNIT[:n]), JSON, UNIT[:n]),
    "json, planes": lambda n: Body(as_json("samples", UNIT[:n, 0]), JSON, UNIT[:n]),
    "json, flat": lambda n: Body(as_json("samples", UNIT[:n].reshape(n, 4)), JSON, UNIT[:n]),
    "json, base64": lambda n: Body(in_json(pictures(n)), JSON, UNIT[:n]),
    "json, data URL": lambda n: Body(in_json(webps(n), "data:image/webp;base64,"), JSON, UNIT[:n]),
    "npy, float16": lambda n: Body(saved(UNIT[:n], "<f2"), NPY, UNIT[:n], 1e-3),
    "npy, float32": lambda n: Body(saved(UNIT[:n], "<f4"), NPY, UNIT[:n]),
    "npy, float64": lambda n: Body(saved(UNIT[:n].reshape(n, 4), "<f8"), NPY, UNIT[:n]),
    "npy, big-endian": lambda n: Body(saved(UNIT[:n], ">f4"), NPY, UNIT[:n]),
    "npy, Fortran order": lambda n: Body(saved(UNIT[:n], "<f4", "F"), NPY, UNIT[:n]),
    "npy, integers": lambda n: Body(saved(BINARY[:n], ">i8"), NPY, BINARY[:n]),
    "npy, booleans": lambda n: Body(saved(BINARY[:n], "?"), NPY, BINARY[:n]),
    "png": lambda n: Body(pictures(n)[0], PNG, UNIT[:n]),
    "png, 16 bits": lambda n: Body(sixteen_bits(n), PNG, UNIT[:n]),
    "png, palette": lambda n: Body(palette(n), PNG, UNIT[:n]),
    "png, alpha": lambda n: Body(opaque(n), PNG, UNIT[:n]),
    "png, EXIF": lambda n: Body(turned(n), PNG, UNIT[:n]),
    "jpeg": lambda n: Body(encoded(Image.fromarray(FLAT[0, 0]), "JPEG"), "image/jpeg", FLAT[:n] / 255, 0.02),
    "jpeg, CMYK": lambda n: Body(
        encoded(Image.fromarray(FLAT[0, 0]).convert("CMYK"), "JPEG", quality=100), "image/jpeg", FLAT[:n] / 255, 0.02
    ),
    "webp": lambda n: Body(webps(n)[0], "image/webp", UNIT[:n]),
    "form": lambda n: Body(*form(pictures(n)), UNIT[:n]),
}
SINGLE_IMAGE_FORMATS = {name for name in SAMPLES_IN if name.startswith(("png", "jpeg", "webp"))}
LATENTS_IN: dict[str, Body] = {
    "json": Body(as_json("latents", LATENTS), JSON, LATENTS),
    "npy, float16": Body(saved(LATENTS, "<f2"), NPY, LATENTS),
    "npy, float32": Body(saved(LATENTS, "<f4"), NPY, LATENTS),
    "npy, float64": Body(saved(LATENTS, ">f8", "F"), NPY, LATENTS),
    "npy, integers": Body(saved(np.array([[1, 0], [2, 1]]), "u1"), NPY, np.array([[1, 0], [2, 1]])),
}


def pooled(samples: Array) -> Array:
    """Encode as the tiny models do: the sum of each row of pixels."""
    return np.asarray(samples.sum(axis=3)[:, 0])


def spread(latents: Array) -> Array:
    """Decode as the tiny models do: half of each latent in both pixels of a row, clipped to [0, 1]."""
    return np.clip(np.repeat(latents[:, None, :, None] / 2, 2, axis=3), 0, 1)


def rows_of(response: httpx.Response, member: str) -> Array:
    """Return the array of an answer in any format. The samples of a picture must stand in one row."""
    assert response.status_code == 200, response.text
    match response.headers["content-type"]:
        case "application/json":
            return np.array(response.json()[member])
        case "application/x-npy":
            return np.asarray(np.load(io.BytesIO(response.content), allow_pickle=False))
        case "image/png":
            grid = np.asarray(Image.open(io.BytesIO(response.content))) / 255
            return np.stack(np.split(grid, grid.shape[1] // 2, axis=1))[:, None]
    raise AssertionError(response.headers["content-type"])


def combinations() -> list[tuple[str, str, str]]:
    """Return every task with every format that it reads and writes."""
    images = ("encode", "reconstruct", "denoise")
    pairs = [(task, name) for task in images for name in SAMPLES_IN]
    pairs += [("interpolate", name) for name in SAMPLES_IN if name not in SINGLE_IMAGE_FORMATS]
    pairs += [("decode", name) for name in LATENTS_IN]
    return [
        (task, name, answer_type)
        for task, name in pairs
        for answer_type in ((JSON, NPY) if task == "encode" else (JSON, NPY, PNG))
    ]


@pytest.mark.parametrize(("task", "request_format", "answer_type"), combinations())
def test_every_route_reads_and_writes_its_formats(
    task: str, request_format: str, answer_type: str, client: TestClient
) -> None:
    model = "tiny-sdae" if task == "denoise" else "tiny-ae"
    count = 1 if request_format in SINGLE_IMAGE_FORMATS else 2
    body = LATENTS_IN[request_format] if task == "decode" else SAMPLES_IN[request_format](count)
    options = {"steps": 3} if task == "interpolate" else {"columns": len(body.rows)} if task != "encode" else {}
    answer = client.post(
        f"/v1/models/{model}/{task}",
        content=body.content,
        headers={"content-type": body.media, "accept": answer_type},
        params=options,
    )
    assert answer.headers["content-type"] == answer_type, answer.text
    latents = body.rows if task == "decode" else pooled(body.rows)
    if task == "interpolate":
        latents = np.linspace(latents[0], latents[1], 3)
    expected = latents if task == "encode" else spread(latents)
    rows = rows_of(answer, "latents" if task == "encode" else "samples")
    tolerance = 2 * body.tolerance + (1 / 255 if answer_type == PNG else 0)
    np.testing.assert_allclose(rows, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("answer_type", [JSON, NPY, PNG])
def test_generate_writes_each_format(answer_type: str, client: TestClient) -> None:
    path = "/v1/models/tiny-vae/generate?count=3&seed=5&columns=3"
    answer = client.post(path, headers={"accept": answer_type})
    assert answer.headers["content-type"] == answer_type
    assert answer.headers["x-seed"] == "5"
    rows = rows_of(answer, "samples")
    assert rows.shape == (3, 1, 2, 2)
    np.testing.assert_allclose(rows, rows_of(client.post(path), "samples"), rtol=0, atol=1 / 255)


@pytest.mark.parametrize("request_format", SAMPLES_IN)
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_every_format_may_be_compressed(request_format: str, encoding: str, client: TestClient) -> None:
    body = SAMPLES_IN[request_format](1)
    content = (gzip if encoding == "gzip" else zlib).compress(body.content)
    headers = {"content-type": body.media, "content-encoding": encoding}
    answer = client.post("/v1/models/tiny-ae/encode", content=content, headers=headers)
    np.testing.assert_allclose(rows_of(answer, "latents"), pooled(body.rows), rtol=0, atol=2 * body.tolerance)


@pytest.mark.parametrize(
    ("accept", "answer_type"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("image/*", PNG),
        ("application/json;q=0.5, image/png", PNG),
        ("application/json;q=0, */*", NPY),
        ("image/png;q=0.2, application/x-npy;q=0.3, text/html", NPY),
    ],
)
def test_the_answer_has_the_format_that_the_client_prefers(
    accept: str | None, answer_type: str, client: TestClient
) -> None:
    for path, body in (
        ("/v1/models/tiny-ae/decode", LATENTS_IN["json"]),
        ("/v1/models/tiny-ae/reconstruct", SAMPLES_IN["png"](1)),
    ):
        request = client.build_request("POST", path, content=body.content, headers={"content-type": body.media})
        request.headers.pop("accept")
        if accept:
            request.headers["accept"] = accept
        assert client.send(request).headers["content-type"] == answer_type


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("tiny-ae/decode?columns=1", (2, 4)),
        ("tiny-ae/reconstruct?columns=1", (2, 4)),
        ("tiny-sdae/denoise?columns=1", (2, 4)),
        ("tiny-sdae/denoise?columns=1&noise=gaussian&seed=1", (2, 4)),
        ("tiny-vae/generate?count=3&columns=1", (2, 6)),
        ("tiny-ae/interpolate?steps=3&columns=2", (4, 4)),
        ("tiny-ae/interpolate?steps=3", (6, 2)),
        ("tiny-ae/decode?columns=1&scale=5", (10, 20)),
        ("tiny-vae/generate?count=3&columns=3&scale=2", (12, 4)),
    ],
)
def test_a_picture_has_the_requested_columns(path: str, size: tuple[int, int], client: TestClient) -> None:
    body = LATENTS_IN["json"] if "decode" in path else SAMPLES_IN["json, nested"](2)
    content = b"" if "generate" in path else body.content
    answer = client.post(f"/v1/models/{path}", content=content, headers={"accept": PNG, "content-type": JSON})
    assert Image.open(io.BytesIO(answer.content)).size == size
    refused = client.post(f"/v1/models/{path.partition('?')[0]}?columns=0", content=content)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-parameter")


def test_a_picture_is_not_enlarged_beyond_the_pixels_of_a_request(tiny_models: Path) -> None:
    with TestClient(create_app(Settings(models_dir=tiny_models, max_pixels=2_000))) as client:
        body, headers = LATENTS_IN["json"], {"accept": PNG, "content-type": JSON}
        answer = client.post("/v1/models/tiny-ae/decode?scale=16", content=body.content, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["detail"] == (
            "query parameter 'scale': expected a picture of at most 2000 pixels, got 32x64 (height x width)"
        )
        path = "/v1/models/tiny-ae/decode?scale=15"
        assert client.post(path, content=body.content, headers=headers).status_code == 200
