"""Content negotiation: the media types of a request's body and of its answer."""

from __future__ import annotations

from functools import lru_cache

from app.errors import MAX_REPEATED_CHARACTERS, NotAcceptable, UnsupportedMedia

JSON = "application/json"
NPY = "application/x-npy"
PNG = "image/png"
FORM = "multipart/form-data"
OCTETS = "application/octet-stream"


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
def check_request_type(content_type: bytes | None, supported: tuple[str, ...]) -> str:
    """Return the body's media type, by default JSON. Raises UnsupportedMedia unless it is supported."""
    media_type = content_type.decode("latin-1").partition(";")[0].strip().lower() if content_type else JSON
    if media_type not in supported:
        raise UnsupportedMedia(
            f"expected a Content-Type of {' or '.join(supported)}, got {media_type[:MAX_REPEATED_CHARACTERS]!r}",
            supported=list(supported),
        )
    return media_type


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
