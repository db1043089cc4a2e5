"""Images of any size and colour become samples, and samples become PNGs."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from app.errors import InvalidImage, ServiceError, TooManyPixels
from app.formats.images import read_image, read_images
from app.inputs import ImageInput, ValueRange
from tests.helpers.images import encoded, png_file

GREY = ImageInput(shape=(1, 2, 3), value_range=ValueRange(low=0, high=1))
RGB = ImageInput(shape=(3, 2, 3), value_range=ValueRange(low=0, high=1))
DIGITS = ImageInput(shape=(1, 2, 3), value_range=ValueRange(low=-1, high=16))
PIXELS = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)


def read(content: bytes, expected: ImageInput = GREY, media_type: str = "image/png") -> np.ndarray:
    """Read one sample."""
    return read_image(content, media_type, expected, max_pixels=10_000)


def test_8_bit_pixels_are_scaled_to_the_value_range() -> None:
    sample = read(encoded(Image.fromarray(PIXELS)))
    assert sample.shape == (1, 1, 2, 3)
    assert sample.dtype == np.float32
    np.testing.assert_allclose(sample[0, 0], [[0, 0.2, 0.4], [0.6, 0.8, 1]], atol=1e-6)
    shifted = read(encoded(Image.fromarray(PIXELS)), DIGITS)
    np.testing.assert_allclose(shifted[0, 0, 0], [-1, -1 + 17 * 0.2, -1 + 17 * 0.4], atol=1e-5)
    assert shifted.max() <= 16


def test_16_bits_are_scaled_and_not_clipped() -> None:
    deep = Image.fromarray(PIXELS.astype(np.uint16) * 257)
    np.testing.assert_allclose(read(encoded(deep))[0, 0], PIXELS / 255, atol=1e-6)


def test_transparent_images_are_laid_over_black() -> None:
    image = Image.new("RGBA", (3, 2), (255, 255, 255, 0))
    image.putpixel((1, 0), (255, 255, 255, 128))
    image.putpixel((2, 0), (255, 255, 255, 255))
    half = 128 / 255
    np.testing.assert_allclose(read(encoded(image))[0, 0], np.array([[0, half, 1], [0, 0, 0]]), atol=1e-6)
    grey = Image.merge("LA", (Image.new("L", (3, 2), 200), Image.new("L", (3, 2), 0)))
    assert not read(encoded(grey)).any()


def test_transparent_palette_colours_become_black() -> None:
    image = Image.new("P", (3, 2), 1)
    image.putpalette([255, 255, 255, 255, 255, 255])
    image.putpixel((0, 0), 0)
    assert read(encoded(image, transparency=0))[0, 0].tolist() == [[0, 1, 1], [1, 1, 1]]


def test_colour_becomes_grey_by_luma_and_grey_becomes_rgb() -> None:
    red = Image.new("RGB", (3, 2), (255, 0, 0))
    assert read(encoded(red))[0, 0, 0, 0] == pytest.approx(0.299, abs=0.003)  # ITU-R 601
    assert read(encoded(red), RGB)[0, :, 0, 0].tolist() == [1, 0, 0]
    assert (read(encoded(Image.fromarray(PIXELS)), RGB)[0, 0] == read(encoded(Image.fromarray(PIXELS)))[0, 0]).all()


def test_images_of_another_size_are_resized() -> None:
    large = Image.fromarray(np.kron(PIXELS, np.ones((20, 20), np.uint8)))
    np.testing.assert_allclose(read(encoded(large))[0, 0], PIXELS / 255, atol=0.12)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(3000, 2000), (1500, 4099), (2_000_000, 2)])
def test_large_images_are_reduced_tile_by_tile(mode: str, size: tuple[int, int]) -> None:
    """Three bands of grey, from left to right, keep their places."""
    levels = np.repeat(np.array([0, 128, 255], np.uint8), -(-size[0] // 3))[: size[0]]
    bands = Image.fromarray(np.tile(levels, (size[1], 1)))
    deep = Image.fromarray(np.asarray(bands).astype(np.uint16) * 257)
    image = deep if mode == "I;16" else bands.convert(mode)
    sample = read_image(encoded(image, compress_level=1), "image/png", GREY, 10**8)
    np.testing.assert_allclose(sample[0, 0], [[0, 0.5, 1]] * 2, atol=0.1)


def test_large_images_follow_their_exif_orientation() -> None:
    upright = np.zeros((1200, 1800), np.uint8)
    upright[:600, :600] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.fromarray(np.rot90(upright).copy()), exif=exif)
    sample = read_image(content, "image/png", GREY, 10**8)
    np.testing.assert_allclose(sample[0, 0], [[1, 0, 0], [0, 0, 0]], atol=0.2)


def test_pixels_of_webp_images_count_four_times() -> None:
    with pytest.raises(
        TooManyPixels, match="at most 10000 pixels in a request, got 51x50; a WebP image's count 4 times"
    ):
        read(encoded(Image.new("L", (51, 50)), "WEBP"), media_type="image/webp")
    assert read(encoded(Image.new("L", (50, 50)), "WEBP"), media_type="image/webp").shape == (1, 1, 2, 3)


def test_pixels_of_16_bit_colours_count_four_times_if_they_are_read_whole() -> None:
    content = png_file(np.zeros((51, 50, 3), np.uint16), 2)
    deep = GREY.model_copy(update={"bits": 16})
    with pytest.raises(TooManyPixels, match="got 50x51; those of 16-bit colours count 4 times"):
        read(content, deep)
    assert read(content).shape == read(png_file(np.zeros((50, 50, 3), np.uint16), 2), deep).shape


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP"])
def test_images_follow_their_exif_orientation(name: str) -> None:
    upright = np.zeros((20, 30), np.uint8)
    upright[:10, :10] = 255
    turned = Image.fromarray(np.rot90(upright).copy()).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show
    options = {"exif": exif} if name != "WEBP" else {"exif": exif, "lossless": True}
    sample = read(encoded(turned, name, **options), media_type=f"image/{name.lower()}")
    np.testing.assert_allclose(sample[0, 0], [[1, 0, 0], [0, 0, 0]], atol=0.2)


def test_cmyk_jpegs_can_be_read() -> None:
    black = Image.new("CMYK", (3, 2), (0, 0, 0, 255))
    assert read(encoded(black, "JPEG"), media_type="image/jpeg").max() < 0.05


@pytest.mark.parametrize(
    "content", [b"", b"garbage", encoded(Image.fromarray(PIXELS))[:40], encoded(Image.fromarray(PIXELS), "GIF")]
)
def test_other_bytes_are_refused_as_images(content: bytes) -> None:
    with pytest.raises(InvalidImage, match="expected a PNG image"):
        read(content)


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    with pytest.raises(TooManyPixels, match="at most 10000 pixels in a request, got 101x100"):
        read(encoded(Image.new("L", (101, 100))))
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(TooManyPixels):
        read(b"\x89PNG\r\n\x1a\n" + chunk + encoded(Image.fromarray(PIXELS))[33:])


def test_large_jpegs_are_decoded_at_a_reduced_size(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((1600, 2400, 3), np.uint8)
    pixels[:800, :800] = 255
    photo = Image.fromarray(pixels)
    loaded, sizes = JpegImageFile.load, []

    def load(image: JpegImageFile) -> object:
        sizes.append(image.size)
        return loaded(image)

    monkeypatch.setattr(JpegImageFile, "load", load)
    shrunk = read_image(encoded(photo, "JPEG"), "image/jpeg", GREY, 10**7)
    assert sizes[0] == (300, 200)
    for whole in (photo, photo.convert("RGBA")):
        sample = read_image(encoded(whole), "image/png", GREY, 10**7)
        np.testing.assert_allclose(sample[0, 0], [[1, 0, 0], [0, 0, 0]], atol=0.15)  # Lanczos looks beyond a pixel
        np.testing.assert_allclose(shrunk, sample, atol=0.02)


def test_images_of_several_formats_become_one_batch() -> None:
    flat = Image.fromarray(np.full((5, 4), 102, np.uint8))
    files = [encoded(Image.fromarray(PIXELS)), encoded(flat, "JPEG"), encoded(flat, "WEBP")]
    samples = read_images(files, GREY, max_pixels=106)  # 6, 20 and four times 20
    assert samples.shape == (3, 1, 2, 3)
    np.testing.assert_allclose(samples[0, 0], PIXELS / 255, atol=1e-6)
    np.testing.assert_allclose(samples[1:], 0.4, atol=0.02)


@given(st.binary(max_size=300), st.integers(0, 70))
def test_any_bytes_give_an_image_or_a_known_error(noise: bytes, keep: int) -> None:
    content = encoded(Image.fromarray(PIXELS))[:keep] + noise
    try:
        read(content)
    except ServiceError as error:
        assert error.status in (413, 422)
