"""Images inside JSON: {"images": ["iVBORw0…", "data:image/png;base64,iVBORw0…"]}."""

from __future__ import annotations

import base64
import binascii
import re

from app.errors import EmptyBatch, InvalidInput, TooManyRows
from app.formats.json_arrays import describe, load

BEGINNING = re.compile(rb'\s*\{\s*"images"\s*:')
DATA_URL = re.compile(r"data:[^,;]*(?:;[^,;]*)*;base64,", re.IGNORECASE)
SPACES = re.compile(r"\s+")


def holds_images(content: bytes) -> bool:
    """Whether a JSON body says first that it holds images."""
    return BEGINNING.match(content) is not None


def read_json_images(content: bytes, max_images: int) -> list[bytes]:
    """
    The files in a JSON body, each as base64 or as a data URL.

    Raises MalformedBody, TooManyRows, EmptyBatch, or InvalidInput of what is not base64. Source: RFC 4648; RFC 2397
    """
    body = load(content, '{"images": ["iVBORw0..."]}')
    if body.keys() != {"images"}:
        got = ", ".join(map(repr, body))
        raise InvalidInput(f"expected the one member 'images', got {got}; options go into the query")
    images = body["images"]
    if not isinstance(images, list):
        raise InvalidInput(f"images: expected a list, got {describe(images)}")
    if not images:
        raise EmptyBatch("images: expected at least one image, got none")
    if len(images) > max_images:
        raise TooManyRows(f"expected at most {max_images} rows at once, got {len(images)}")
    return [_decoded(image, index) for index, image in enumerate(images)]


def _decoded(image: object, index: int) -> bytes:
    if not isinstance(image, str):
        raise InvalidInput(f"images: expected base64 or a data URL at [{index}], got {describe(image)}")
    start = DATA_URL.match(image[:200])
    text = image[start.end() :] if start else image
    try:
        return base64.b64decode(SPACES.sub("", text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"images: expected base64 or a data URL with it at [{index}], but: {error}") from error
