"""The promised sizes work with the default settings: images of 8 to 256 pixels, grey and RGB, and wide tables."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.inputs import ImageInput, ValueRange, VectorInput
from app.main import create_app
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.images import encoded
from tests.helpers.v1 import ACCEPT_PNG, SEND_PNG

UNIT = ValueRange(low=0, high=1)
COLUMNS = 3000


@pytest.fixture(scope="module")
def mirrors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write models that return their input."""
    root = tmp_path_factory.mktemp("mirrors")
    tiny.write_mirror(root, "rgb-8", ImageInput(shape=(3, 8, 8), value_range=UNIT))
    tiny.write_mirror(root, "rgb-wide", ImageInput(shape=(3, 8, 12), value_range=ValueRange(low=-1, high=1)))
    tiny.write_mirror(root, "rgb-256", ImageInput(shape=(3, 256, 256), value_range=UNIT))
    tiny.write_mirror(root, "grey-256", ImageInput(shape=(1, 256, 256), value_range=UNIT))
    tiny.write_mirror(root, "table", VectorInput(shape=(COLUMNS,)))
    return root


@pytest.fixture(scope="module")
def client(mirrors: Path) -> Iterator[TestClient]:
    """Start an application over the models with the default settings, and give a client of it."""
    with TestClient(create_app(Settings(models_dir=mirrors)), raise_server_exceptions=False) as client:
        yield client


def picture(height: int, width: int, *channels: int) -> npt.NDArray[np.uint8]:
    """Return random pixels, (height, width) or (height, width, 3)."""
    return np.random.default_rng(0).integers(0, 256, (height, width, *channels), np.uint8)


def drawn(content: bytes) -> npt.NDArray[np.uint8]:
    """Return the pixels of a PNG file."""
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("model", "shape"),
    [("rgb-8", (8, 8, 3)), ("rgb-wide", (8, 12, 3)), ("rgb-256", (256, 256, 3)), ("grey-256", (256, 256))],
)
def test_a_reconstructed_png_has_the_same_pixels(client: TestClient, model: str, shape: tuple[int, ...]) -> None:
    pixels = picture(*shape)
    sent = encoded(Image.fromarray(pixels))
    answer = client.post(f"/v1/models/{model}/reconstruct", content=sent, headers=SEND_PNG | ACCEPT_PNG)
    assert answer.headers["content-type"] == "image/png", answer.text
    np.testing.assert_array_equal(drawn(answer.content), pixels)


def test_a_colour_png_is_nested_as_channel_row_column(client: TestClient) -> None:
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[2, 5] = (255, 51, 0)
    answer = client.post(
        "/v1/models/rgb-wide/reconstruct", content=encoded(Image.fromarray(pixels)), headers=SEND_PNG
    ).json()
    samples = np.array(answer["samples"])
    assert samples.shape == (1, 3, 8, 12)
    np.testing.assert_allclose(samples[0, :, 2, 5], [1, -0.6, -1], atol=1e-6)
    assert (samples == -1).sum() == 3 * 8 * 12 - 2
    assert answer["errors"] == [0]


def test_a_colour_grid_runs_from_left_to_right(client: TestClient) -> None:
    colours = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255)])
    latents = np.repeat(colours / 255, 64, axis=1)  # one channel after the other
    grid = drawn(client.post("/v1/models/rgb-8/decode", json={"latents": latents.tolist()}, headers=ACCEPT_PNG).content)
    assert grid.shape == (16, 16, 3)
    assert [grid[y, x].tolist() for y, x in ((0, 0), (0, 8), (8, 0), (8, 8))] == [*colours.tolist(), [0, 0, 0]]


def test_generated_colours_are_the_same_in_json_and_in_a_picture(client: TestClient) -> None:
    url = "/v1/models/rgb-8/generate?count=1&seed=4"
    samples = np.array(client.post(url).json()["samples"][0])
    expected = np.rint(np.clip(samples, 0, 1) * 255).transpose(1, 2, 0)
    np.testing.assert_array_equal(drawn(client.post(url, headers=ACCEPT_PNG).content), expected)


@pytest.mark.parametrize("as_png", [False, True])
def test_four_large_images_fit_into_one_request_in_full_precision(client: TestClient, as_png: bool) -> None:
    samples = np.random.default_rng(1).random((4, 3, 256, 256))
    headers = ACCEPT_PNG if as_png else {}
    answer = client.post("/v1/models/rgb-256/reconstruct", json={"samples": samples.tolist()}, headers=headers)
    assert answer.status_code == 200, answer.text[:500]
    if as_png:
        top = np.concatenate([samples[0], samples[1]], axis=2)
        grid = drawn(answer.content).transpose(2, 0, 1)
        assert grid.shape == (3, 512, 512)
        np.testing.assert_allclose(grid[:, :256] / 255, top, atol=0.5 / 255 + 1e-6)
    else:
        np.testing.assert_allclose(answer.json()["samples"], samples, atol=1e-6)


def test_four_large_images_can_be_generated(client: TestClient) -> None:
    answer = client.post("/v1/models/rgb-256/generate?count=4&seed=0", headers=ACCEPT_PNG)
    assert drawn(answer.content).shape == (512, 512, 3)


def test_a_wide_table_without_a_range_is_reconstructed(client: TestClient) -> None:
    rows = (np.random.default_rng(2).standard_normal((3, COLUMNS)) * 1e6).astype(np.float32)
    answer = client.post("/v1/models/table/reconstruct", json={"samples": rows.tolist()}).json()
    np.testing.assert_array_equal(np.array(answer["samples"], np.float32), rows)
    assert answer["errors"] == [0, 0, 0]
    generated = client.post("/v1/models/table/generate?count=2&seed=0").json()["samples"]
    assert np.shape(generated) == (2, COLUMNS)
    line = client.post("/v1/models/table/interpolate?steps=3", json={"samples": rows[:2].tolist()}).json()["samples"]
    np.testing.assert_allclose(line[1], (rows[0] + rows[1]) / 2, rtol=1e-5, atol=1)
