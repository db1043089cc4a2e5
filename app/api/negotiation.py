"""Content negotiation: which of the formats that can be given or taken does the client mean."""

from __future__ import annotations

from functools import lru_cache

from app.errors import NotAcceptable, UnsupportedMedia

JSON = "application/json"
NPY = "application/x-npy"
PNG = "image/png"
FORM = "multipart/form-data"


@lru_cache(maxsize=64)
def choose(accept: bytes | None, offered: tuple[str, ...]) -> str:
    """
    The offered media type that the Accept header, as it came, likes best; among equals the first.

    Raises NotAcceptable. Source: RFC 9110, section 12.5.1
    """
    if accept is None or not accept.strip():
        return offered[0]
    text = accept.decode("latin-1")
    ranges = [_parse(part) for part in text.split(",") if part.strip()]
    best = max(offered, key=lambda media: _quality(media, ranges))
    if _quality(best, ranges) <= 0:
        raise NotAcceptable(
            f"expected an Accept header that allows {' or '.join(offered)}, got {text[:200]!r}",
            supported=list(offered),
        )
    return best


@lru_cache(maxsize=64)
def require(content_type: bytes | None, taken: tuple[str, ...]) -> str:
    """The body's media type, JSON where none is named. Raises UnsupportedMedia."""
    media = content_type.decode("latin-1").partition(";")[0].strip().lower() if content_type else JSON
    if media not in taken:
        raise UnsupportedMedia(
            f"expected a Content-Type of {' or '.join(taken)}, got {media[:200]!r}", supported=list(taken)
        )
    return media


def _parse(media_range: str) -> tuple[str, float]:
    media, *parameters = (part.strip().lower() for part in media_range.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return media, quality


def _quality(media: str, ranges: list[tuple[str, float]]) -> float:
    """The quality of the most specific range that covers a media type, 0 where none does."""
    for pattern in (media, media.partition("/")[0] + "/*", "*/*"):
        found = [quality for candidate, quality in ranges if candidate == pattern]
        if found:
            return max(found)
    return 0.0
