"""Routes read several images of one request, in a form or inside JSON, and limit their count."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.helpers.images import encoded, form, pictures

ENCODE = "/v1/models/tiny-ae/encode"
FILE = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'


def post(client: TestClient, content: bytes, media: str, path: str = ENCODE) -> tuple[int, dict[str, Any]]:
    """Return the status and the document of an answer."""
    response = client.post(path, content=content, headers={"content-type": media})
    return response.status_code, response.json()


@pytest.mark.parametrize(
    ("content", "code", "detail"),
    [
        (b"--x--\r\n", "empty-batch", "at least one image"),
        (FILE + b"abc\r\n--x--\r\n", "invalid-image", "image 0"),
    ],
)
def test_forms_without_valid_images_are_refused(content: bytes, code: str, detail: str, client: TestClient) -> None:
    status, problem = post(client, content, "multipart/form-data; boundary=x")
    assert (status, problem["code"]) == (422, code)
    assert detail in problem["detail"]


@pytest.mark.parametrize("image", ["aGVsbG8=", ""])
def test_other_files_in_json_are_refused(image: str, client: TestClient) -> None:
    status, problem = post(client, json.dumps({"images": [image]}).encode(), "application/json")
    assert (status, problem["code"]) == (422, "invalid-image")
    assert "image 0, counted from 0: expected a PNG, JPEG or WebP image" in problem["detail"]


def test_the_error_names_the_image_that_cannot_be_read(client: TestClient) -> None:
    good = pictures(1)[0]
    cut = good[: len(good) // 2]
    _, problem = post(client, *form([good, cut]))
    assert problem["code"] == "invalid-image"
    assert problem["detail"].startswith("image 1, counted from 0: expected a PNG image")


def test_base64_images_may_be_folded_and_no_other_member_is_allowed(client: TestClient) -> None:
    text = base64.b64encode(pictures(1)[0]).decode()
    folded = "\n".join(text[at : at + 20] for at in range(0, len(text), 20))
    status, answer = post(client, json.dumps({"images": [folded]}).encode(), "application/json")
    assert (status, answer["latents"]) == (200, [[pytest.approx(0.2), pytest.approx(1.4)]])
    status, problem = post(client, json.dumps({"images": [text], "count": 1}).encode(), "application/json")
    assert (status, problem["code"]) == (422, "invalid-input")
    assert "'count'" in problem["detail"]


def test_models_of_tables_refuse_images(client: TestClient) -> None:
    path = "/v1/models/tiny-table/encode"
    status, problem = post(client, *form(pictures(1)), path)
    assert (status, problem["code"]) == (415, "unsupported-media-type")
    status, problem = post(client, b'{"images": []}', "application/json", path)
    assert (status, problem["code"]) == (422, "invalid-input")


@pytest.fixture(scope="module")
def narrow(tiny_models: Any) -> Any:
    """Return a client of a server with small limits."""
    limits = Settings(models_dir=tiny_models, max_parts=2, max_rows=3, max_pixels=20, max_numbers=8)
    with TestClient(create_app(limits), raise_server_exceptions=False) as client:
        yield client


def test_too_many_parts_of_a_form_are_refused(narrow: TestClient) -> None:
    assert post(narrow, *form(pictures(2)))[0] == 200
    status, problem = post(narrow, *form(pictures(1) * 3))
    assert (status, problem["code"]) == (413, "too-many-parts")
    assert "at most 2 parts" in problem["detail"]


def test_too_many_images_are_refused_before_they_are_decoded(narrow: TestClient) -> None:
    images = json.dumps({"images": ["no base64"] * 4}).encode()
    status, problem = post(narrow, images, "application/json")
    assert (status, problem["code"], problem["detail"]) == (
        413,
        "too-many-rows",
        "expected at most 3 rows at once, got 4",
    )
    images = json.dumps({"images": ["aGVsbG8="] * 3}).encode()  # three samples of four numbers are more than eight
    status, problem = post(narrow, images, "application/json")
    assert (status, problem["code"], problem["detail"]) == (
        413,
        "too-many-rows",
        "expected at most 2 rows at once, got 3",
    )


def test_too_large_answers_are_refused_before_they_are_calculated(narrow: TestClient) -> None:
    for path, body in (("generate?count=3", None), ("decode", {"latents": [[0, 0]] * 3})):
        response = narrow.post(f"/v1/models/tiny-vae/{path}", json=body)
        assert (response.status_code, response.json()["code"]) == (413, "too-many-rows")


def test_the_pixel_limit_counts_all_images_of_a_request(narrow: TestClient) -> None:
    image = encoded(Image.fromarray(np.zeros((3, 4), np.uint8)))
    assert post(narrow, *form([image]))[0] == 200
    status, problem = post(narrow, *form([image, image]))
    assert (status, problem["code"]) == (413, "too-many-pixels")
    assert "at most 20 pixels in a request, got 24 in 2 images" in problem["detail"]
