"""Read JSON request bodies that hold image files, as base64 or as data URLs."""

from __future__ import annotations

import base64
import re

from app.errors import EmptyBatch, InvalidInput, TooManyRows
from app.formats.json_body import check_only_member, load
from app.formats.json_errors import describe

holds_images = re.compile(rb'\s*\{\s*"images"\s*:').match
"""Matches a JSON body whose first member is `images`."""
DATA_URL = re.compile(r"data:[^,;]*(?:;[^,;]*)*;base64,", re.IGNORECASE)


def read_json_images(content: bytes, max_images: int) -> list[bytes]:
    """
    Return the image files of a body {"images": ["iVBORw0…", "data:image/png;base64,iVBORw0…"]}.

    Raises MalformedBody, TooManyRows, EmptyBatch, or InvalidInput for anything but base64. Source: RFC 4648; RFC 2397
    """
    body = load(content, '{"images": ["iVBORw0..."]}')
    check_only_member(body, "images")
    images = body["images"]
    if not isinstance(images, list):
        raise InvalidInput(f"images: expected a list, got {describe(images)}")
    if not images:
        raise EmptyBatch("images: expected at least one image, got none")
    if len(images) > max_images:
        raise TooManyRows(f"expected at most {max_images} rows at once, got {len(images)}")
    return [_decode_image(image, index) for index, image in enumerate(images)]


def _decode_image(image: object, index: int) -> bytes:
    if not isinstance(image, str):
        raise InvalidInput(f"images: expected base64 or a data URL at [{index}], got {describe(image)}")
    start = DATA_URL.match(image[:200])  # characters; a longer head is not that of an image
    text = image[start.end() :] if start else image
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise InvalidInput(f"images: expected base64 or a base64 data URL at [{index}], but: {error}") from error
