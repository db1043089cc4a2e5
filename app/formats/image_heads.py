"""The first bytes of image files: their format and size, which are known without Pillow."""

from __future__ import annotations

from app.errors import InvalidImage
from app.formats.media import JPEG, PNG, WEBP

UNKNOWN_SIZE = 2**31
"""The size of an image whose header is not read here: too large for the event loop."""


def decoding_size(content: bytes, media_type: str) -> int:
    """
    Return the size of the work of decoding a PNG: its bytes or, if they are more, the pixels that its header claims.

    Use it to choose a thread, never to accept an image. Other formats have UNKNOWN_SIZE.
    Source: W3C, "Portable Network Graphics", section 11.2.1: IHDR comes first, width and height are its first members
    """
    if media_type != PNG or len(content) < 24:
        return UNKNOWN_SIZE
    width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    return max(len(content), width * height)


def media_type(content: bytes) -> str:
    """Return the media type of an image, by its first bytes. Raises InvalidImage."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if content.startswith(b"\xff\xd8\xff"):
        return JPEG
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return WEBP
    raise InvalidImage("expected a PNG, JPEG or WebP image, but it does not begin like one")
