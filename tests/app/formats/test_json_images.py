"""Images in JSON bodies are read from base64, or refused with the reason."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from app.errors import EmptyBatch, InvalidInput, ServiceError, TooManyRows
from app.formats.json_images import holds_images, read_json_images


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"images": []}', True),
        (b' \n{ "images" : []}', True),
        (b'{"samples": []}', False),
        (b'{"other": 1, "images": []}', False),
        (b"", False),
    ],
)
def test_bodies_that_begin_with_images_hold_images(content: bytes, expected: bool) -> None:
    assert bool(holds_images(content)) is expected


def test_images_are_base64_or_data_urls() -> None:
    text = base64.b64encode(b"\x89PNG").decode()
    body = {"images": [text, f"data:image/png;base64,{text}", f"{text[:3]}\n{text[3:]}"]}
    assert read_json_images(json.dumps(body).encode(), max_images=3) == [b"\x89PNG"] * 3


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ({"images": []}, EmptyBatch, "at least one"),
        ({"images": "abc"}, InvalidInput, "a list, got a string"),
        ({"images": [3]}, InvalidInput, r"\[0\], got a number"),
        ({"images": ["", "a"]}, InvalidInput, r"at \[1\]"),
        ({"images": ["é"]}, InvalidInput, r"at \[0\]"),
        ({"images": ["data:image/png;base64,!!!!"]}, InvalidInput, r"at \[0\]"),
        ({"images": [""] * 3}, TooManyRows, "at most 2 rows at once, got 3"),
        ({"images": [""], "count": 1}, InvalidInput, "got 'images', 'count'; options go into the query"),
    ],
)
def test_invalid_images_are_refused_with_the_reason(body: Any, error: type[ServiceError], message: str) -> None:
    with pytest.raises(error, match=message):
        read_json_images(json.dumps(body).encode(), max_images=2)
