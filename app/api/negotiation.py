"""Content negotiation: the media types of a request's body and of its answer."""

from __future__ import annotations

from functools import lru_cache

from app.errors import MAX_REPEATED_CHARACTERS, NotAcceptable, UnsupportedMedia
from app.formats.compression import ENCODINGS
from app.formats.media import FORM, JSON, NPY, PNG, canonical_type, recognise

__all__ = [
    "FORM",
    "JSON",
    "NPY",
    "OCTETS",
    "PNG",
    "choose_encoding",
    "choose_response_type",
    "expected_type",
    "request_type",
]

OCTETS = "application/octet-stream"
BEGINNINGS: dict[str, tuple[bytes, ...]] = {JSON: (b"{", b"["), NPY: (b"\x93NUMPY",), PNG: (b"\x89PNG\r\n\x1a\n",)}
"""Bodies that begin so are what their Content-Type says, without a further look."""


@lru_cache(maxsize=64)
def choose_response_type(accept: bytes | None, supported: tuple[str, ...]) -> str:
    """
    Return the supported media type that an Accept header prefers; among equals the first.

    Raises NotAcceptable. Source: RFC 9110, section 12.5.1
    """
    if accept is None or not accept.strip():
        return supported[0]
    text = accept.decode("latin-1")
    ranges = [_parse(part) for part in text.split(",") if part.strip()]
    best = max(supported, key=lambda media_type: _quality(media_type, ranges))
    if _quality(best, ranges) <= 0:
        raise NotAcceptable(
            f"expected an Accept header that allows {' or '.join(supported)}, got {text[:MAX_REPEATED_CHARACTERS]!r}",
            supported=list(supported),
        )
    return best


@lru_cache(maxsize=64)
def choose_encoding(accept: bytes | None) -> str | None:
    """
    Return the supported coding that an Accept-Encoding header prefers, or None if it names none of them.

    Source: RFC 9110, section 12.5.3
    """
    if not accept:
        return None
    qualities = dict(_parse(part) for part in accept.decode("latin-1").split(",") if part.strip())
    best = max(ENCODINGS, key=lambda encoding: qualities.get(encoding, 0.0))
    return best if qualities.get(best, 0.0) > qualities.get("identity", 0.0) else None


def request_type(content_type: bytes | None, content: bytes, supported: tuple[str, ...]) -> str:
    """
    Return the media type that a body begins like or, if it begins like none, that of its Content-Type, by default JSON.

    Clients send no Content-Type, a wrong one, or one that says nothing, as curl does. Only a form must be named, since
    the header holds its boundary. Raises UnsupportedMedia.
    """
    named, beginnings = expected_type(content_type, supported)
    if not content.startswith(beginnings):
        found = None if named == FORM else recognise(content)
        if found in supported:
            return found
        if found is not None or named not in supported:
            raise UnsupportedMedia(
                f"expected a body of {' or '.join(supported)}, got {(found or named)[:MAX_REPEATED_CHARACTERS]!r}",
                supported=list(supported),
            )
    return named


@lru_cache(maxsize=64)
def expected_type(content_type: bytes | None, supported: tuple[str, ...]) -> tuple[str, tuple[bytes, ...]]:
    """
    Return the media type that a Content-Type names, and the bytes of which such a body begins with one.

    There are none if the type is not supported, or if its bodies need a further look.
    """
    named = canonical_type(content_type.decode("latin-1")) if content_type else JSON
    return named, BEGINNINGS.get(named, ()) if named in supported else ()


def _parse(media_range: str) -> tuple[str, float]:
    media_type, *parameters = (part.strip().lower() for part in media_range.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return media_type, quality


def _quality(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """Return the quality of the most specific range that covers a media type, or 0 if none does."""
    for pattern in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        qualities = [quality for media_range, quality in ranges if media_range == pattern]
        if qualities:
            return max(qualities)
    return 0.0
