"""Several images in one request, as a form or inside JSON: what is wrong with them, and how many there may be."""

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
from tests.app.test_formats_by_route import form, pictures
from tests.app.test_images import encoded

ENCODE = "/v1/models/tiny-ae/encode"
FILE = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'


def post(client: TestClient, content: bytes, media: str, path: str = ENCODE) -> tuple[int, dict[str, Any]]:
    """The status and the document of an answer."""
    response = client.post(path, content=content, headers={"content-type": media})
    return response.status_code, response.json()


@pytest.mark.parametrize(
    ("content", "media", "code", "says"),
    [
        (b"", "multipart/form-data", "malformed-body", "boundary"),
        (b"nothing", "multipart/form-data; boundary=x", "malformed-body", "form"),
        (FILE + b"abc", "multipart/form-data; boundary=x", "malformed-body", "last boundary"),
        (b"--x--\r\n", "multipart/form-data; boundary=x", "empty-batch", "at least one image"),
        (FILE + b"abc\r\n--x--\r\n", "multipart/form-data; boundary=x", "invalid-image", "image 0"),
        (
            b'--x\r\nContent-Disposition: form-data; name="count"\r\n\r\n3\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            "invalid-input",
            "'count'; options go into the query",
        ),
    ],
)
def test_what_is_wrong_with_a_form_is_told(
    content: bytes, media: str, code: str, says: str, client: TestClient
) -> None:
    status, problem = post(client, content, media)
    assert (problem["code"], status) == (code, 400 if code == "malformed-body" else 422)
    assert says in problem["detail"]


@pytest.mark.parametrize(
    ("images", "code", "says"),
    [
        ([], "empty-batch", "at least one"),
        ("abc", "invalid-input", "a list, got a string"),
        ([3], "invalid-input", "[0], got a number"),
        (["a"], "invalid-input", "at [0]"),
        (["é"], "invalid-input", "at [0]"),
        (["aGVsbG8="], "invalid-image", "image 0, counted from 0: expected a PNG, JPEG or WebP image"),
        (["data:image/png;base64,!!!!"], "invalid-input", "at [0]"),
        ([""], "invalid-image", "image 0"),
    ],
)
def test_what_is_wrong_with_images_in_json_is_told(images: Any, code: str, says: str, client: TestClient) -> None:
    status, problem = post(client, json.dumps({"images": images}).encode(), "application/json")
    assert (status, problem["code"]) == (422, code)
    assert says in problem["detail"]


def test_the_second_of_two_images_is_named(client: TestClient) -> None:
    good = pictures(1)[0]
    cut = good[: len(good) // 2]
    _, problem = post(client, *form([good, cut]))
    assert problem["code"] == "invalid-image"
    assert problem["detail"].startswith("image 1, counted from 0: expected a PNG image")


def test_images_in_json_are_one_member_and_may_be_folded(client: TestClient) -> None:
    text = base64.b64encode(pictures(1)[0]).decode()
    folded = "\n".join(text[at : at + 20] for at in range(0, len(text), 20))
    status, answer = post(client, json.dumps({"images": [folded]}).encode(), "application/json")
    assert (status, answer["latents"]) == (200, [[pytest.approx(0.2), pytest.approx(1.4)]])
    status, problem = post(client, json.dumps({"images": [text], "count": 1}).encode(), "application/json")
    assert (status, problem["code"]) == (422, "invalid-input")
    assert "'count'" in problem["detail"]


def test_a_table_takes_no_images(client: TestClient) -> None:
    path = "/v1/models/tiny-table/encode"
    status, problem = post(client, *form(pictures(1)), path)
    assert (status, problem["code"]) == (415, "unsupported-media-type")
    status, problem = post(client, b'{"images": []}', "application/json", path)
    assert (status, problem["code"]) == (422, "invalid-input")


@pytest.fixture(scope="module")
def narrow(tiny_models: Any) -> Any:
    """A client of a server with small limits."""
    limits = Settings(models_dir=tiny_models, max_parts=2, max_rows=3, max_pixels=20, max_numbers=8)
    with TestClient(create_app(limits), raise_server_exceptions=False) as client:
        yield client


def test_parts_of_a_form_are_counted(narrow: TestClient) -> None:
    assert post(narrow, *form(pictures(2)))[0] == 200
    status, problem = post(narrow, *form(pictures(1) * 3))
    assert (status, problem["code"]) == (413, "too-many-parts")
    assert "at most 2 parts" in problem["detail"]


def test_rows_and_numbers_are_counted_before_images_are_decoded(narrow: TestClient) -> None:
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


def test_an_answers_numbers_are_counted_before_it_is_calculated(narrow: TestClient) -> None:
    for path, body in (("generate?count=3", None), ("decode", {"latents": [[0, 0]] * 3})):
        response = narrow.post(f"/v1/models/tiny-vae/{path}", json=body)
        assert (response.status_code, response.json()["code"]) == (413, "too-many-rows")


def test_the_pixels_of_all_images_together_are_counted(narrow: TestClient) -> None:
    image = encoded(Image.fromarray(np.zeros((3, 4), np.uint8)))
    assert post(narrow, *form([image]))[0] == 200
    status, problem = post(narrow, *form([image, image]))
    assert (status, problem["code"]) == (413, "too-many-pixels")
    assert "at most 20 pixels in a request, got 24 in 2 images" in problem["detail"]
