"""Samples become PNGs of 8 or 16 bits."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from app.formats.images import read_image
from app.formats.pictures import grid_size, write_png
from app.inputs import ImageInput, ValueRange

GREY = ImageInput(shape=(1, 2, 3), value_range=ValueRange(low=0, high=1))
RGB = ImageInput(shape=(3, 2, 3), value_range=ValueRange(low=0, high=1))
DEEP = ImageInput(
    shape=(1, 2, 3), value_range=ValueRange(low=100, high=3900), levels=ValueRange(low=0, high=65535), bits=16
)
PIXELS = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)


def test_one_sample_is_written_in_its_own_size() -> None:
    image = Image.open(io.BytesIO(write_png(np.array(PIXELS / 255, np.float32)[None, None], GREY)))
    assert image.mode == "L"
    assert np.asarray(image).tolist() == PIXELS.tolist()


def test_several_samples_are_written_as_a_grid_row_by_row() -> None:
    samples = np.stack([np.full((1, 2, 3), level, np.float32) for level in (0.2, 0.4, 0.6)])
    grid = np.asarray(Image.open(io.BytesIO(write_png(samples, GREY))))
    assert grid.shape == (4, 6)
    assert grid[0, 0] == 51
    assert grid[0, 3] == 102
    assert grid[2, 0] == 153
    assert grid[2, 3] == 0
    row = np.asarray(Image.open(io.BytesIO(write_png(samples, GREY, columns=3))))
    assert row[0].tolist() == [51] * 3 + [102] * 3 + [153] * 3


def test_a_grid_has_at_most_as_many_columns_as_samples() -> None:
    samples = np.ones((3, 1, 2, 3), np.float32)
    sizes = [Image.open(io.BytesIO(write_png(samples, GREY, columns))).size for columns in (1, 2, 3, 10**9)]
    assert sizes == [(3, 6), (6, 4), (9, 2), (9, 2)]


def test_colours_are_written_and_numbers_outside_the_range_are_clipped() -> None:
    sample = np.zeros((1, 3, 2, 3), np.float32)
    sample[0, 0], sample[0, 2] = 2.0, -1.0
    image = Image.open(io.BytesIO(write_png(sample, RGB)))
    assert image.getpixel((0, 0)) == (255, 0, 0)


def test_each_pixel_becomes_a_square_of_the_scale() -> None:
    picture = np.asarray(
        Image.open(io.BytesIO(write_png(np.array(PIXELS / 255, np.float32)[None, None], GREY, scale=3)))
    )
    assert picture.tolist() == np.kron(PIXELS, np.ones((3, 3), np.uint8)).tolist()


@pytest.mark.parametrize(
    ("count", "columns", "expected"), [(5, None, (2, 3)), (5, 2, (3, 2)), (5, 9, (1, 5)), (1, None, (1, 1))]
)
def test_the_size_of_a_grid(count: int, columns: int | None, expected: tuple[int, int]) -> None:
    assert grid_size(count, columns) == expected


def test_models_of_16_bits_write_16_bits() -> None:
    """A number is its own level here, whatever the range: 3900 is the level 3900 of 65535."""
    samples = np.array([[100, 101, 2000], [2001, 3899, 3900]], np.float32)
    picture = Image.open(io.BytesIO(write_png(samples[None, None], DEEP)))
    assert picture.mode == "I;16"
    assert np.asarray(picture).tolist() == samples.tolist()


def test_a_model_without_levels_writes_its_range_as_all_levels() -> None:
    samples = np.array([[-1, 0, 1], [0.5, -0.5, 1]], np.float32)
    floats = ImageInput(shape=(1, 2, 3), value_range=ValueRange(low=-1, high=1), bits=16)
    levels = np.asarray(Image.open(io.BytesIO(write_png(samples[None, None], floats))))
    assert levels.tolist() == [[0, 32768, 65535], [49151, 16384, 65535]]  # half of 65535 is rounded to even


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_16_bits_can_be_read_again(channels: int) -> None:
    deep = DEEP.model_copy(update={"shape": (channels, 6, 5)})
    samples = np.random.default_rng(0).integers(100, 3901, (1, channels, 6, 5)).astype(np.float32)
    assert (read_image(write_png(samples, deep), "image/png", deep, 1000) == samples).all()
