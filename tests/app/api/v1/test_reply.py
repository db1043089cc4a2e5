"""Results become JSON, `.npy` files and pictures."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.api.v1.reply import response_types
from app.formats.json_answer import MIN_DECIMAL_NUMBERS, write_object
from app.main import create_app
from app.settings import Settings
from app.tasks import TASKS
from tests.helpers.npy import NPY, loaded, saved
from tests.helpers.v1 import ACCEPT_PNG, SAMPLE, grey_png, png_pixels

SAMPLES = np.array([SAMPLE, [1, 1, 1, 1]], np.float32)


def test_small_answers_and_tables_have_the_fewest_digits(client: TestClient) -> None:
    pixels = client.post("/v1/models/tiny-ae/decode", json={"latents": [[1 / 3, 0.5]]}).text
    assert '"samples":[[[[0.16666667,0.16666667],[0.25,0.25]]]]' in pixels
    numbers = client.post("/v1/models/tiny-table/decode", json={"latents": [[1 / 3, 0.5]]}).text
    assert '"samples":[[0.16666667,0.16666667,0.25,0.25]]' in numbers


def test_many_pixels_have_nine_decimals(tiny_models: Path) -> None:
    with TestClient(create_app(Settings(models_dir=tiny_models))) as client:
        latents = [[1 / 3, 0.5]] * MIN_DECIMAL_NUMBERS
        pixels = client.post("/v1/models/tiny-ae/decode", json={"latents": latents}).text
        assert '"samples":[[[[0.166666672,0.166666672],[0.250000000,0.250000000]]],' in pixels
        numbers = client.post("/v1/models/tiny-table/decode", json={"latents": latents}).text
        assert '"samples":[[0.16666667,0.16666667,0.25,0.25],' in numbers


def test_a_png_answer_is_one_image_or_a_grid(client: TestClient) -> None:
    one = client.post("/v1/models/tiny-ae/decode", json={"latents": [[2, 0.4]]}, headers=ACCEPT_PNG)
    assert png_pixels(one) == [[255, 255], [51, 51]]
    three = client.post("/v1/models/tiny-ae/decode", json={"latents": [[2, 2]] * 3}, headers=ACCEPT_PNG)
    assert png_pixels(three) == [[255] * 4, [255] * 4, [255, 255, 0, 0], [255, 255, 0, 0]]


def test_a_png_body_and_a_png_answer_have_the_same_scale(client: TestClient) -> None:
    headers = {"content-type": "image/png", **ACCEPT_PNG}
    response = client.post("/v1/models/tiny-ae/reconstruct", content=grey_png([[51, 153], [255, 255]]), headers=headers)
    assert png_pixels(response) == [[102, 102], [255, 255]]


def test_a_png_answer_of_an_interpolation_is_one_row(client: TestClient) -> None:
    body = {"samples": [[0, 0, 0, 0], [1, 1, 0, 0]]}
    drawn = client.post("/v1/models/tiny-ae/interpolate?steps=3", json=body, headers=ACCEPT_PNG)
    assert png_pixels(drawn) == [[0, 0, 128, 128, 255, 255], [0] * 6]


def test_a_png_answer_has_its_seed_in_a_header(client: TestClient) -> None:
    response = client.post("/v1/models/tiny-vae/generate?count=4", headers=ACCEPT_PNG)
    again = client.post(f"/v1/models/tiny-vae/generate?count=4&seed={response.headers['x-seed']}", headers=ACCEPT_PNG)
    assert np.shape(png_pixels(response)) == (4, 4)
    assert again.content == response.content


def test_an_npy_answer_has_its_seed_in_a_header(client: TestClient) -> None:
    url = "/v1/models/tiny-vae/encode?sample=true"
    first = client.post(url, content=saved(SAMPLES), headers={"content-type": NPY, "accept": NPY})
    again = client.post(f"{url}&seed={first.headers['x-seed']}", json={"samples": SAMPLES.tolist()})
    assert loaded(first).tolist() == np.array(again.json()["latents"], np.float32).tolist()


@pytest.mark.parametrize(
    ("draws_images", "task", "types"),
    [
        (True, "decode", ("application/json", NPY, "image/png")),
        (True, "score", ("application/json", NPY, "image/png")),
        (True, "encode", ("application/json", NPY)),
        (False, "decode", ("application/json", NPY)),
        (False, "score", ("application/json", NPY)),
    ],
)
def test_only_samples_and_heat_maps_of_image_models_can_be_pictures(
    draws_images: bool, task: str, types: tuple[str, ...]
) -> None:
    assert response_types(draws_images, TASKS[task]) == types


def test_the_supported_answers_are_listed(client: TestClient) -> None:
    body, headers = {"latents": [[1, 1]]}, {"accept": "text/csv"}
    problem = client.post("/v1/models/tiny-ae/decode", json=body, headers=headers).json()
    assert problem["supported"] == ["application/json", NPY, "image/png"]


def test_large_answers_are_written_on_a_thread(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def write(*arguments: Any) -> Any:
        threads.append(threading.current_thread().name.partition("_")[0])
        return write_object(*arguments)

    monkeypatch.setattr("app.api.v1.reply.write_object", write)
    url, headers = "/v1/models/tiny-ae/reconstruct", {"content-type": NPY}
    with TestClient(create_app(Settings(models_dir=tiny_models, max_rows=20_000))) as client:
        client.post(url, json={"samples": [[0.5] * 4]}).raise_for_status()
        assert "formats" not in threads
        threads.clear()
        content = saved(np.zeros((12_001, 4), np.float32))
        assert len(client.post(url, content=content, headers=headers).raise_for_status().json()["samples"]) == 12_001
        assert threads == ["formats"]


@pytest.fixture(scope="module")
def compressing(tiny_models: Path) -> Any:
    """Return a client of a server that compresses answers of 1000 bytes and more."""
    with TestClient(create_app(Settings(models_dir=tiny_models, compress_bytes=1000))) as client:
        yield client


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_long_json_is_compressed_if_the_client_accepts_it(compressing: TestClient, encoding: str) -> None:
    latents = {"latents": [[1 / 3, 0.5]] * 100}
    plain = compressing.post("/v1/models/tiny-ae/decode", json=latents, headers={"accept-encoding": "identity"})
    packed = compressing.post("/v1/models/tiny-ae/decode", json=latents, headers={"accept-encoding": encoding})
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == (encoding, "Accept-Encoding")
    assert int(packed.headers["content-length"]) < len(plain.content) / 4
    assert packed.content == plain.content
    assert not {"content-encoding", "vary"} & plain.headers.keys()


@pytest.mark.parametrize(("rows", "accept"), [(10, "application/json"), (100, "application/x-npy"), (100, "image/png")])
def test_short_answers_and_those_that_hardly_shrink_are_not_compressed(
    compressing: TestClient, rows: int, accept: str
) -> None:
    headers = {"accept": accept, "accept-encoding": "gzip"}
    answer = compressing.post("/v1/models/tiny-ae/decode", json={"latents": [[1, 1]] * rows}, headers=headers)
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers
