"""Opened images of every colour and depth become pixels of a model's shape."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from app.formats.pixels import displayed_size, read_deep_pixels, read_numbers, read_pixels
from tests.helpers.images import encoded, png_file

LEVELS = np.array([[0, 1, 2000], [4095, 40000, 65535]], np.uint16)


def opened(content: bytes) -> Image.Image:
    """Return an image that is opened, and not yet decoded."""
    return Image.open(io.BytesIO(content))


def repeated(levels: np.ndarray, channels: int) -> np.ndarray:
    """Return levels as (H, W, C)."""
    return np.repeat(levels[..., None], channels, axis=2)


def test_16_bits_of_grey_are_kept() -> None:
    assert read_deep_pixels(opened(png_file(LEVELS)), 1, 2, 3).tolist() == [LEVELS.tolist()]
    assert read_deep_pixels(opened(png_file(LEVELS)), 3, 2, 3).tolist() == [LEVELS.tolist()] * 3


def test_large_deep_images_are_reduced_tile_by_tile() -> None:
    bands = np.tile(np.repeat(np.array([0, 3000, 60000], np.uint16), 700), (1500, 1))
    for content in (png_file(bands), png_file(repeated(bands, 3), 2)):
        pixels = read_deep_pixels(opened(content), 1, 8, 3)
        assert np.abs(pixels[0].astype(int) - [0, 3000, 60000]).max() < 6000  # Lanczos looks beyond a pixel


def test_deep_images_follow_their_exif_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    image = opened(encoded(Image.fromarray(LEVELS), exif=exif))
    assert displayed_size(image) == (3, 2)
    assert read_deep_pixels(image, 1, 3, 2).tolist() == [np.rot90(LEVELS, -1).tolist()]


@pytest.mark.parametrize(
    ("background", "expected"), [((), [0, 0, 0]), ((255,), [255, 255, 255]), ((10, 20, 200), [10, 20, 200])]
)
def test_transparent_pixels_of_8_bits_get_the_background(background: tuple[int, ...], expected: list[int]) -> None:
    ink = np.zeros((1, 2, 4), np.uint8)
    ink[0, 1, 3] = 255
    for content in (png_file(ink, 6), encoded(Image.fromarray(ink), "WEBP", lossless=True)):
        pixels = read_pixels(opened(content), 3, 1, 2, background)
        assert pixels[:, 0, 0].tolist() == expected
        assert pixels[:, 0, 1].tolist() == [0, 0, 0]


def test_a_black_drawing_on_nothing_is_seen_over_white() -> None:
    drawing = np.zeros((2, 3, 2), np.uint8)
    drawing[..., 1] = [[0, 128, 255], [255, 0, 0]]
    assert read_pixels(opened(png_file(drawing, 4)), 1, 2, 3).max() == 0
    assert read_pixels(opened(png_file(drawing, 4)), 1, 2, 3, (255,)).tolist() == [[[255, 127, 0], [0, 255, 255]]]


@pytest.mark.parametrize("numbers", [np.array([[-1.5, 0, 7e9]], np.float32), np.array([[-5, 0, 70000]], np.int32)])
def test_numbers_of_a_tiff_are_its_own(numbers: np.ndarray) -> None:
    pixels = read_numbers(opened(encoded(Image.fromarray(numbers), "TIFF")), 1, 3)
    assert pixels.dtype == numbers.dtype
    assert pixels.tolist() == [numbers.tolist()]
    halved = read_numbers(opened(encoded(Image.fromarray(np.full((8, 8), 7, numbers.dtype)), "TIFF")), 4, 4)
    assert halved == pytest.approx(np.full((1, 4, 4), 7))
