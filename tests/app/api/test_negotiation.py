"""Media types are chosen as the client's headers ask."""

from __future__ import annotations

import pytest

from app.api.negotiation import FORM, JSON, NPY, PNG, choose_encoding, choose_response_type, request_type
from app.errors import NotAcceptable, UnsupportedMedia


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("image/png", PNG),
        ("IMAGE/PNG", PNG),
        ("image/*", PNG),
        ("image/webp, image/*;q=0.8, */*;q=0.1", PNG),
        ("application/json;q=0.5, image/png", PNG),
        ("application/json, image/png;q=0.9", JSON),
        ("image/png;q=0, */*", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("application/json;q=nonsense, image/png", PNG),
    ],
)
def test_the_preferred_supported_type_is_chosen(accept: str | None, chosen: str) -> None:
    assert choose_response_type(accept if accept is None else accept.encode(), (JSON, PNG)) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/webp", "*/*;q=0", "image/*;q=0, text/plain"])
def test_unsupported_types_are_refused_with_the_supported_ones(accept: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        choose_response_type(accept.encode(), (JSON, PNG))
    assert caught.value.members == {"supported": [JSON, PNG]}


ALL = (JSON, NPY, PNG, "image/jpeg", "image/webp", FORM)
OBJECT, JPEG_FILE = b'{"samples": [[0]]}', b"\xff\xd8\xff\xe0"
PNG_FILE = b"\x89PNG\r\n\x1a\n"
NPY_FILE = b"\x93NUMPY\x01\x00v\x00"


@pytest.mark.parametrize(
    ("content_type", "content", "expected"),
    [
        (b"Application/JSON; charset=utf-8", OBJECT, JSON),
        (b"application/vnd.api+json", OBJECT, JSON),
        (b"text/json", OBJECT, JSON),
        (b"text/plain", b"\xef\xbb\xbf \n[[0]]", JSON),
        (b"application/x-www-form-urlencoded", OBJECT, JSON),
        (b"application/x-www-form-urlencoded", PNG_FILE, PNG),
        (b"application/octet-stream", NPY_FILE, NPY),
        (b"binary/octet-stream", JPEG_FILE, "image/jpeg"),
        (b"image/jpg", JPEG_FILE, "image/jpeg"),
        (b"image/pjpeg", JPEG_FILE, "image/jpeg"),
        (b"image/x-png", PNG_FILE, PNG),
        (b"image/*", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"image/jpeg", PNG_FILE, PNG),
        (b"application/json", NPY_FILE, NPY),
        (b"application/x-npy", OBJECT, JSON),
        (b"", NPY_FILE, NPY),
        (None, PNG_FILE, PNG),
        (None, b"", JSON),
        (b"application/json", b"0.5, 1", JSON),
        (b"image/png", b"no picture", PNG),
        (b"multipart/form-data; boundary=x", b"--x\r\n", FORM),
        (b"multipart/form-data", b"{", FORM),
    ],
)
def test_the_body_says_what_it_is_and_its_name_only_counts_otherwise(
    content_type: bytes | None, content: bytes, expected: str
) -> None:
    assert request_type(content_type, content, ALL) == expected


@pytest.mark.parametrize(
    ("content_type", "content", "got"),
    [
        (b"text/csv", b"0.5,1\n", "'text/csv'"),
        (b"application/x-www-form-urlencoded", b"samples=1", "'application/x-www-form-urlencoded'"),
        (b"image/png", b"GIF89a", "'image/gif'"),
        (b"application/json", PNG_FILE, "'image/png'"),
        (b"application/x-npy", b"PK\x03\x04", "'application/zip'"),
        (b"multipart/form-data; boundary=x", b"--x", "'multipart/form-data'"),
        (None, b"%PDF-1.7", "'application/pdf'"),
    ],
)
def test_a_body_that_the_model_does_not_take_is_named(content_type: bytes | None, content: bytes, got: str) -> None:
    with pytest.raises(UnsupportedMedia, match=f"expected a body of {JSON} or {NPY}, got {got}"):
        request_type(content_type, content, (JSON, NPY))


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, None),
        (b"", None),
        (b"identity", None),
        (b"br, zstd", None),
        (b"*", None),
        (b"gzip", "gzip"),
        (b"GZIP", "gzip"),
        (b"deflate", "deflate"),
        (b"gzip, deflate, br, zstd", "gzip"),
        (b"gzip;q=0.2, deflate;q=0.8", "deflate"),
        (b"gzip;q=0", None),
        (b"gzip;q=0.5, identity", None),
    ],
)
def test_an_encoding_is_chosen_only_if_it_is_named(accept: bytes | None, expected: str | None) -> None:
    assert choose_encoding(accept) == expected
