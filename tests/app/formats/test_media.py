"""Media types are recognised by their names and by the first bytes of a body."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from app.formats.media import canonical_type, recognise
from tests.helpers.npy import saved


def file(format_name: str) -> bytes:
    """Return an image file as Pillow writes it."""
    stream = io.BytesIO()
    Image.new("L", (4, 4)).save(stream, format_name)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
        ("TIFF", "image/tiff"),
        ("PDF", "application/pdf"),
    ],
)
def test_files_that_pillow_writes_are_recognised(name: str, expected: str) -> None:
    assert recognise(file(name)) == expected


def test_files_that_numpy_writes_are_recognised() -> None:
    archive = io.BytesIO()
    np.savez(archive, a=np.zeros(2))
    assert recognise(saved(np.zeros(2))) == "application/x-npy"
    assert recognise(archive.getvalue()) == "application/zip"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{}", "application/json"),
        (b" \r\n\t[1]", "application/json"),
        (b"\xef\xbb\xbf{}", "application/json"),
        (b"", None),
        (b"1", None),
        (b"\0{", None),
        (b" " * 2000 + b"{", None),
        (b"\x89PNG", None),
    ],
)
def test_json_begins_with_a_bracket(content: bytes, expected: str | None) -> None:
    assert recognise(content) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMAGE/JPG", "image/jpeg"),
        (" image/x-png ; q=1", "image/png"),
        ("application/geo+json;charset=utf-8", "application/json"),
        ("application/numpy", "application/x-npy"),
        ("text/csv", "text/csv"),
    ],
)
def test_names_become_the_usual_ones(name: str, expected: str) -> None:
    assert canonical_type(name) == expected
