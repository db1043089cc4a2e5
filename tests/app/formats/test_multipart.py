"""Forms are read as RFC 7578 describes, and refused if they are invalid."""

from __future__ import annotations

import pytest

from app.errors import InvalidInput, MalformedBody, ServiceError, TooManyParts
from app.formats.multipart import read_files
from tests.helpers.images import form

MEDIA_TYPE = b"multipart/form-data; boundary=x"
FILE = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
FIELD = b'--x\r\nContent-Disposition: form-data; name="count"\r\n\r\n3\r\n--x--\r\n'


def test_files_are_read_in_order() -> None:
    content, media_type = form([b"first", b"", b"\r\n--third"])
    assert read_files(content, media_type.encode(), max_parts=3) == [b"first", b"", b"\r\n--third"]


def test_a_form_may_be_empty() -> None:
    assert read_files(b"--x--\r\n", MEDIA_TYPE, max_parts=1) == []


@pytest.mark.parametrize(
    ("content", "media_type", "error", "detail"),
    [
        (b"", b"multipart/form-data", MalformedBody, "boundary"),
        (b"nothing", MEDIA_TYPE, MalformedBody, "expected a form, but"),
        (FILE + b"abc", MEDIA_TYPE, MalformedBody, "last boundary"),
        (FIELD, MEDIA_TYPE, InvalidInput, "'count'; options go into the query"),
    ],
)
def test_invalid_forms_are_refused_with_the_reason(
    content: bytes, media_type: bytes, error: type[ServiceError], detail: str
) -> None:
    with pytest.raises(error, match=detail):
        read_files(content, media_type, max_parts=1)


def test_parts_beyond_the_limit_are_refused() -> None:
    content, media_type = form([b"a"] * 3)
    with pytest.raises(TooManyParts, match="at most 2 parts"):
        read_files(content, media_type.encode(), max_parts=2)
