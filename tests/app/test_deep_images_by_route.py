"""Models of 16-bit images, and of images over a background, take and give files as in their training."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.inputs import ImageInput, ValueRange
from app.main import create_app
from app.settings import Settings
from tests.helpers.images import form, png_file
from tests.helpers.tiny import write_mirror

LEVELS = np.array([[100, 101, 2000], [2001, 3899, 3900]], np.uint16)
RANGE, ALL_LEVELS = ValueRange(low=0, high=3900), ValueRange(low=0, high=65535)
PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def mirrors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a client of models whose latents are the sample itself."""
    models: Path = tmp_path_factory.mktemp("models")
    deep = ImageInput(shape=(1, 2, 3), value_range=RANGE, range_origin="found", levels=ALL_LEVELS, bits=16)
    write_mirror(models, "found", deep)
    write_mirror(models, "stated", deep.model_copy(update={"range_origin": "stated"}))
    ink = ImageInput(shape=(3, 1, 2), value_range=ValueRange(low=0, high=1), background=(255, 204, 0))
    write_mirror(models, "ink", ink)
    with TestClient(create_app(Settings(models_dir=models)), raise_server_exceptions=False) as client:
        yield client


def test_levels_of_16_bits_are_the_numbers_of_a_sample(mirrors: TestClient) -> None:
    answer = mirrors.post("/v1/models/found/encode", content=png_file(LEVELS), headers=PNG)
    assert answer.json()["latents"] == [LEVELS.ravel().tolist()]
    body, media = form([png_file(LEVELS), png_file(LEVELS[::-1])])
    several = mirrors.post("/v1/models/found/encode", content=body, headers={"content-type": media})
    assert several.json()["latents"] == [LEVELS.ravel().tolist(), LEVELS[::-1].ravel().tolist()]


def test_a_picture_of_16_bits_is_what_came(mirrors: TestClient) -> None:
    headers = PNG | {"accept": "image/png"}
    answer = mirrors.post("/v1/models/found/reconstruct?scale=2", content=png_file(LEVELS), headers=headers)
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.mode == "I;16"
    assert np.asarray(picture)[::2, ::2].tolist() == LEVELS.tolist()
    assert picture.size == (6, 4)


def test_levels_beyond_a_found_range_are_clipped_and_counted(mirrors: TestClient) -> None:
    answer = mirrors.post("/v1/models/found/encode", content=png_file(LEVELS + np.uint16(1000)), headers=PNG)
    assert answer.headers["x-clipped-numbers"] == "2"  # 4899 and 4900
    assert answer.json()["latents"][0][-2:] == [3900, 3900]


def test_levels_beyond_a_stated_range_are_refused(mirrors: TestClient) -> None:
    content = png_file(LEVELS + np.uint16(1000))
    for body, media in ((content, "image/png"), form([content])):
        answer = mirrors.post("/v1/models/stated/encode", content=body, headers={"content-type": media})
        assert (answer.status_code, answer.json()["code"]) == (422, "out-of-range")
    data = [base64.b64encode(content).decode()]
    tensor = {"name": "samples", "datatype": "BYTES", "shape": [1], "data": data}
    answer = mirrors.post("/v2/models/stated.encode/infer", content=json.dumps({"inputs": [tensor]}))
    assert answer.status_code == 422


@pytest.mark.parametrize("colour_type", [4, 6])
def test_transparent_pixels_get_the_background_of_the_training(colour_type: int, mirrors: TestClient) -> None:
    """The background is 255, 204, 0: the numbers 1, 0.8 and 0. The other pixel is black."""
    ink = np.zeros((1, 2, 2 if colour_type == 4 else 4), np.uint8)
    ink[0, 1, -1] = 255
    answer = mirrors.post("/v1/models/ink/encode", content=png_file(ink, colour_type), headers=PNG)
    assert answer.json()["latents"][0] == pytest.approx([1, 0, 0.8, 0, 0, 0])
    empty = mirrors.post("/v1/models/ink/encode", content=png_file(ink * 0, colour_type), headers=PNG)
    assert empty.json()["latents"][0] == pytest.approx([1, 1, 0.8, 0.8, 0, 0])
