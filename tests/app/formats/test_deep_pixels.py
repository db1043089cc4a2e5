"""Channels of 16 bits are read to the last bit, though Pillow keeps the first byte of colours only."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from app.formats.deep_pixels import is_deep, is_deep_colour
from app.formats.pixels import read_deep_pixels
from tests.helpers.images import encoded, png_file

LEVELS = np.array([[0, 1, 2000], [4095, 40000, 65535]], np.uint16)


def opened(content: bytes) -> Image.Image:
    """Return an image that is opened, and not yet decoded."""
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize(
    ("channels", "colour_type", "deep", "deep_colour"),
    [(1, 0, True, False), (3, 2, True, True), (2, 4, True, True), (4, 6, True, True)],
)
def test_deep_images_are_known_before_they_are_decoded(
    channels: int, colour_type: int, deep: bool, deep_colour: bool
) -> None:
    pixels = np.zeros((2, 3, channels), np.uint16)
    image = opened(png_file(pixels, colour_type))
    assert (is_deep(image), is_deep_colour(image)) == (deep, deep_colour)
    shallow = opened(png_file(pixels.astype(np.uint8), colour_type))
    assert (is_deep(shallow), is_deep_colour(shallow)) == (False, False)
    for name in ("JPEG", "WEBP", "GIF", "BMP"):
        assert not is_deep(opened(encoded(Image.new("RGB", (3, 2)), name)))


def test_16_bits_of_each_colour_are_kept() -> None:
    colours = np.stack([LEVELS, LEVELS[::-1], LEVELS // 3], axis=-1)
    assert read_deep_pixels(opened(png_file(colours, 2)), 3, 2, 3).tolist() == colours.transpose(2, 0, 1).tolist()


@pytest.mark.parametrize(("colour_type", "colours"), [(4, 1), (6, 3)])
@pytest.mark.parametrize(
    ("background", "empty", "half"),
    [((), 0, 20000), ((255,), 65535, 52768), ((16,), 16 * 257, 20000 + 2056)],
)
def test_alpha_of_16_bits_is_laid_over_the_background(
    colour_type: int, colours: int, background: tuple[int, ...], empty: int, half: int
) -> None:
    """40000 with an alpha of a half is 20000 and half of the background: within 1 of rounding, as 32768 is 0.50001."""
    alpha = np.array([[0, 32768, 65535]], np.uint16)
    pixels = np.concatenate([np.full((1, 3, colours), 40000, np.uint16), alpha[..., None]], axis=2)
    [[row]] = read_deep_pixels(opened(png_file(pixels, colour_type)), 1, 1, 3, background).tolist()
    assert row == pytest.approx([empty, half, 40000], abs=1)


def test_a_level_that_stands_for_transparency_is_laid_over_the_background() -> None:
    content = encoded(Image.fromarray(LEVELS), transparency=2000)
    assert read_deep_pixels(opened(content), 1, 2, 3, (255,))[0].tolist() == [[0, 1, 65535], [4095, 40000, 65535]]


def test_colours_become_grey_by_luma() -> None:
    """ITU-R 601: 0.299 of 40000 is 11960, 0.587 is 23480 and 0.114 is 4560."""
    colours = np.zeros((1, 3, 3), np.uint16)
    colours[0, [0, 1, 2], [0, 1, 2]] = 40000
    assert read_deep_pixels(opened(png_file(colours, 2)), 1, 1, 3).tolist() == [[[11960, 23480, 4560]]]


def test_8_bit_images_span_all_levels_of_16_bits() -> None:
    grey = np.array([[0, 1, 255]], np.uint8)
    assert read_deep_pixels(opened(png_file(grey)), 1, 1, 3).tolist() == [[[0, 257, 65535]]]
    bits = encoded(Image.fromarray(grey > 0))
    assert read_deep_pixels(opened(bits), 1, 1, 3).tolist() == [[[0, 65535, 65535]]]
