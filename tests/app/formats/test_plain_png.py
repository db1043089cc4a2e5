"""Plain PNG files are found by their bytes, and decoded as Pillow decodes them."""

from __future__ import annotations

import io
import zlib
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from app.errors import InvalidImage
from app.formats import plain_png
from app.formats.images import read_image, read_images
from app.formats.plain_png import find_plain
from app.inputs import ImageInput, ValueRange
from tests.helpers.images import encoded, png_chunk

SHAPE, COLOURS = (1, 5, 7), (3, 5, 7)
GREY = ImageInput(shape=SHAPE, value_range=ValueRange(low=0, high=1))
LEVELS = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7


def grey_file() -> bytes:
    """Return a plain file."""
    return encoded(Image.fromarray(LEVELS))


def with_chunk(extra: bytes) -> bytes:
    """Return a plain file with a chunk before its pixels."""
    content = grey_file()
    return content[:33] + extra + content[33:]


@given(st.binary(min_size=105, max_size=105), st.integers(0, 9), st.booleans())
def test_levels_are_those_of_pillow(pixels: bytes, level: int, is_colour: bool) -> None:
    shape = COLOURS if is_colour else SHAPE
    array = np.frombuffer(pixels[: np.prod(shape)], np.uint8).reshape(5, 7, -1)
    content = encoded(Image.fromarray(array if is_colour else array[..., 0]), compress_level=level)
    plain = find_plain(content, shape)
    assert plain is not None
    levels = plain.levels()
    assert levels is not None
    np.testing.assert_array_equal(levels, array.transpose(2, 0, 1))


def test_pixels_may_be_in_several_chunks_and_beside_chunks_that_do_not_change_them() -> None:
    content = grey_file()
    at = content.index(b"IDAT") + 4
    pixels = content[at : at + int.from_bytes(content[at - 8 : at - 4], "big")]
    parts = [
        png_chunk(b"gAMA", (45455).to_bytes(4, "big")),
        png_chunk(b"IDAT", pixels[:5]),
        png_chunk(b"IDAT", pixels[5:]),
    ]
    plain = find_plain(content[:33] + b"".join(parts) + png_chunk(b"IEND", b""), SHAPE)
    assert plain is not None
    levels = plain.levels()
    assert levels is not None
    np.testing.assert_array_equal(levels[0], LEVELS)


def test_whatever_may_change_the_pixels_is_not_plain() -> None:
    image = Image.fromarray(LEVELS)
    turned = Image.Exif()
    turned[0x0112] = 6
    text = PngImagePlugin.PngInfo()
    text.add_text("XML:com.adobe.xmp", "<x/>")
    assert find_plain(encoded(image), SHAPE) is not None
    assert find_plain(encoded(image), COLOURS) is None
    assert find_plain(encoded(image), (1, 7, 5)) is None
    assert find_plain(encoded(image, exif=turned), SHAPE) is None
    assert find_plain(encoded(image, pnginfo=text), SHAPE) is None
    assert find_plain(encoded(image, transparency=3), SHAPE) is None
    assert find_plain(encoded(Image.fromarray(LEVELS.astype(np.uint16))), SHAPE) is None
    assert find_plain(encoded(image.convert("P")), SHAPE) is None


@pytest.mark.parametrize(
    "content",
    [
        with_chunk(png_chunk(b"gAMA", b"\0\0\0\1")[:-1] + b"!"),
        with_chunk(png_chunk(b"gAMA", b"\0\0\0\1") * plain_png.MAX_CHUNKS),
        grey_file()[:-12],
        grey_file()[:40],
        grey_file()[:33],
        grey_file()[:33] + b"\xff\xff\xff\xffIDAT",
        b"",
    ],
    ids=["checksum", "chunks", "end", "cut pixels", "no pixels", "length", "empty"],
)
def test_files_with_faults_are_not_plain(content: bytes) -> None:
    assert find_plain(content, SHAPE) is None


@pytest.mark.parametrize("pixels", [b"", b"no zlib", zlib.compress(b"\x09" * 40)])
def test_pixels_that_cannot_be_decoded_are_left_to_pillow(pixels: bytes) -> None:
    content = grey_file()[:33] + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    plain = find_plain(content, SHAPE)
    assert plain is not None
    assert plain.levels() is None
    with pytest.raises(InvalidImage):
        read_image(content, "image/png", GREY, 1000)


def test_missing_lines_are_zeros_as_with_pillow() -> None:
    content = grey_file()[:33] + png_chunk(b"IDAT", zlib.compress(bytes([0, *b"abcdefg"]))) + png_chunk(b"IEND")
    sample = read_image(content, "image/png", GREY, 1000)
    np.testing.assert_allclose(sample[0, 0, 0] * 255, list(b"abcdefg"), atol=1e-4)
    with patch("app.formats.images.find_plain", return_value=None):
        np.testing.assert_array_equal(read_image(content, "image/png", GREY, 1000), sample)


@given(st.integers(33, 120), st.integers(0, 255))
def test_a_changed_byte_gives_the_samples_or_the_error_of_pillow(at: int, byte: int) -> None:
    content = bytearray(grey_file())
    content[min(at, len(content) - 1)] = byte

    def outcome() -> bytes | str:
        try:
            return read_image(bytes(content), "image/png", GREY, 1000).tobytes()
        except InvalidImage as error:
            return error.detail

    found = outcome()
    with patch("app.formats.images.find_plain", return_value=None):
        assert outcome() == found


def test_plain_files_count_among_the_images_of_a_request() -> None:
    jpeg = io.BytesIO()
    Image.fromarray(LEVELS).save(jpeg, "JPEG", quality=95)
    samples = read_images([grey_file(), jpeg.getvalue(), grey_file()], GREY, 105)
    np.testing.assert_allclose(samples[0, 0] * 255, LEVELS, atol=1e-4)
    np.testing.assert_array_equal(samples[2], samples[0])
    np.testing.assert_allclose(samples[1, 0] * 255, LEVELS, atol=24)
