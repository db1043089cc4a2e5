"""The format and the size of an image are read from its first bytes."""

from __future__ import annotations

import pytest
from PIL import Image

from app.errors import InvalidImage
from app.formats.image_heads import UNKNOWN_SIZE, decoding_size, media_type
from tests.helpers.images import encoded

BLACK = Image.new("L", (300, 200))


@pytest.mark.parametrize(("name", "expected"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_the_format_is_known_without_decoding(name: str, expected: str) -> None:
    assert media_type(encoded(BLACK, name)[:12]) == expected


def test_other_formats_are_refused() -> None:
    with pytest.raises(InvalidImage, match="expected a PNG, JPEG or WebP image"):
        media_type(encoded(BLACK, "BMP"))


def test_a_png_is_as_large_as_its_header_claims_or_as_its_bytes() -> None:
    content = encoded(BLACK)
    assert len(content) < 300 * 200
    assert decoding_size(content, "image/png") == 60_000
    assert decoding_size(content + bytes(100_000), "image/png") == len(content) + 100_000


def test_the_size_of_other_images_is_unknown() -> None:
    assert decoding_size(encoded(BLACK, "JPEG"), "image/jpeg") == UNKNOWN_SIZE
    assert decoding_size(b"\x89PNG\r\n\x1a\n", "image/png") == UNKNOWN_SIZE
