"""Every format in and out of every route that takes or gives samples or latents: each cell is a request."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.app.test_images import encoded

Array = npt.NDArray[Any]

GREY = np.array([[[[0, 51], [102, 255]]], [[[255, 204], [0, 153]]]], np.uint8)
"""Two images whose levels are tenths of the range."""
UNIT = GREY / 255
BINARY = GREY // 204
FLAT = np.full((2, 1, 2, 2), 102, np.uint8)
"""What a lossy format leaves as it is, nearly."""
LATENTS = np.array([[1, 0.5], [2, 0.25]])


class Body(NamedTuple):
    """A request's body, its media type, and the rows that it holds."""

    content: bytes
    media: str
    rows: Array
    tolerance: float = 1e-6


def saved(rows: Array, dtype: str, order: str = "C") -> bytes:
    """A `.npy` file."""
    stream = io.BytesIO()
    np.save(stream, np.asarray(rows, dtype=dtype, order=order), allow_pickle=False)  # type: ignore[call-overload]
    return stream.getvalue()


def as_json(member: str, rows: Array) -> bytes:
    """A body with one member."""
    return json.dumps({member: rows.tolist()}).encode()


def pictures(count: int, name: str = "PNG", **options: object) -> list[bytes]:
    """The first images as files."""
    return [encoded(Image.fromarray(pixels[0]), name, **options) for pixels in GREY[:count]]


def webps(count: int) -> list[bytes]:
    """The same, in another format that loses nothing."""
    return pictures(count, "WEBP", lossless=True)


def in_json(files: list[bytes], prefix: str = "") -> bytes:
    """Images inside JSON."""
    return json.dumps({"images": [prefix + base64.b64encode(file).decode() for file in files]}).encode()


def form(files: list[bytes]) -> tuple[bytes, str]:
    """What a browser sends, and its media type."""
    request = httpx.Request("POST", "http://x", files=[("file", ("a.png", file, "image/png")) for file in files])
    return request.read(), request.headers["content-type"]


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
    """Stored on its side, and saying so."""
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
ONE_ALONE = {name for name in SAMPLES_IN if name.startswith(("png", "jpeg", "webp"))}
LATENTS_IN: dict[str, Body] = {
    "json": Body(as_json("latents", LATENTS), JSON, LATENTS),
    "npy, float16": Body(saved(LATENTS, "<f2"), NPY, LATENTS),
    "npy, float32": Body(saved(LATENTS, "<f4"), NPY, LATENTS),
    "npy, float64": Body(saved(LATENTS, ">f8", "F"), NPY, LATENTS),
    "npy, integers": Body(saved(np.array([[1, 0], [2, 1]]), "u1"), NPY, np.array([[1, 0], [2, 1]])),
}
GIVE_SAMPLES = {"decode", "reconstruct", "denoise", "interpolate"}


def pooled(samples: Array) -> Array:
    """What the tiny encoder does: the sum of each row of pixels."""
    return np.asarray(samples.sum(axis=3)[:, 0])


def spread(latents: Array) -> Array:
    """What the tiny decoder does: half of each latent in both pixels of a row, kept within 0 and 1."""
    return np.clip(np.repeat(latents[:, None, :, None] / 2, 2, axis=3), 0, 1)


def rows_of(response: httpx.Response, member: str) -> Array:
    """The array of an answer in whichever format it came; a picture's samples side by side, one row of them."""
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


def cells() -> list[tuple[str, str, str]]:
    """Every route with every format that it takes and gives."""
    found = []
    for task in ("encode", "reconstruct", "denoise", "interpolate"):
        for taken in SAMPLES_IN:
            if not (task == "interpolate" and taken in ONE_ALONE):
                found += [(task, taken, given) for given in ((JSON, NPY, PNG) if task in GIVE_SAMPLES else (JSON, NPY))]
    found += [("decode", taken, given) for taken in LATENTS_IN for given in (JSON, NPY, PNG)]
    return found


@pytest.mark.parametrize(("task", "taken", "given"), cells())
def test_every_route_takes_and_gives_its_formats(task: str, taken: str, given: str, client: TestClient) -> None:
    model = "tiny-sdae" if task == "denoise" else "tiny-ae"
    body = LATENTS_IN[taken] if task == "decode" else SAMPLES_IN[taken](1 if taken in ONE_ALONE else 2)
    options = {"steps": 3} if task == "interpolate" else {"columns": len(body.rows)} if task != "encode" else {}
    answer = client.post(
        f"/v1/models/{model}/{task}",
        content=body.content,
        headers={"content-type": body.media, "accept": given},
        params=options,
    )
    assert answer.headers["content-type"] == given, answer.text
    latents = body.rows if task == "decode" else pooled(body.rows)
    if task == "interpolate":
        latents = np.linspace(latents[0], latents[1], 3)
    expected = latents if task == "encode" else spread(latents)
    found = rows_of(answer, "latents" if task == "encode" else "samples")
    tolerance = 2 * body.tolerance + (1 / 255 if given == PNG else 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("given", [JSON, NPY, PNG])
def test_generate_gives_each_format(given: str, client: TestClient) -> None:
    path = "/v1/models/tiny-vae/generate?count=3&seed=5&columns=3"
    answer = client.post(path, headers={"accept": given})
    assert answer.headers["content-type"] == given
    assert answer.headers["x-seed"] == "5"
    found = rows_of(answer, "samples")
    assert found.shape == (3, 1, 2, 2)
    np.testing.assert_allclose(found, rows_of(client.post(path), "samples"), rtol=0, atol=1 / 255)


@pytest.mark.parametrize("taken", SAMPLES_IN)
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_every_format_may_come_compressed(taken: str, encoding: str, client: TestClient) -> None:
    body = SAMPLES_IN[taken](1)
    content = (gzip if encoding == "gzip" else zlib).compress(body.content)
    headers = {"content-type": body.media, "content-encoding": encoding}
    answer = client.post("/v1/models/tiny-ae/encode", content=content, headers=headers)
    np.testing.assert_allclose(rows_of(answer, "latents"), pooled(body.rows), rtol=0, atol=2 * body.tolerance)


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("image/*", PNG),
        ("application/json;q=0.5, image/png", PNG),
        ("application/json;q=0, */*", NPY),
        ("image/png;q=0.2, application/x-npy;q=0.3, text/html", NPY),
    ],
)
def test_the_format_that_the_client_likes_best_is_given(accept: str | None, given: str, client: TestClient) -> None:
    for path, body in (
        ("/v1/models/tiny-ae/decode", LATENTS_IN["json"]),
        ("/v1/models/tiny-ae/reconstruct", SAMPLES_IN["png"](1)),
    ):
        request = client.build_request("POST", path, content=body.content, headers={"content-type": body.media})
        request.headers.pop("accept")
        if accept:
            request.headers["accept"] = accept
        assert client.send(request).headers["content-type"] == given


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
    ],
)
def test_a_picture_has_the_columns_that_were_asked_for(path: str, size: tuple[int, int], client: TestClient) -> None:
    body = LATENTS_IN["json"] if "decode" in path else SAMPLES_IN["json, nested"](2)
    content = b"" if "generate" in path else body.content
    answer = client.post(f"/v1/models/{path}", content=content, headers={"accept": PNG, "content-type": JSON})
    assert Image.open(io.BytesIO(answer.content)).size == size
    refused = client.post(f"/v1/models/{path.partition('?')[0]}?columns=0", content=content)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-parameter")
