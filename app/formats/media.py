"""Media types of request bodies: the names that clients use, and the first bytes of each format."""

from __future__ import annotations

JSON = "application/json"
NPY = "application/x-npy"
PNG, JPEG, WEBP = "image/png", "image/jpeg", "image/webp"
FORM = "multipart/form-data"

SYNONYMS = {
    "image/jpg": JPEG,
    "image/pjpeg": JPEG,
    "image/x-citrix-jpeg": JPEG,
    "image/x-png": PNG,
    "image/x-citrix-png": PNG,
    "image/apng": PNG,
    "application/npy": NPY,
    "application/numpy": NPY,
    "application/x-numpy": NPY,
    "application/vnd.numpy": NPY,
    "application/x-json": JSON,
    "text/json": JSON,
    "text/x-json": JSON,
}
"""Other names that clients use for a media type."""
SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"\xff\xd8\xff", JPEG),
    (8, b"WEBP", WEBP),
    (0, b"\x93NUMPY", NPY),
    (0, b"GIF8", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyphei", "image/heic"),
    (0, b"BM", "image/bmp"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"%PDF", "application/pdf"),
)
"""The offset and the first bytes of each format that is recognised. Those that no model takes are named in errors."""
SPACE, BYTE_ORDER_MARK = b" \t\r\n", b"\xef\xbb\xbf"
MAX_SPACES = 1024
"""Bytes of white space before a JSON document that are looked at."""


def canonical_type(content_type: str) -> str:
    """Return the media type of a Content-Type header in lower case, under its usual name, without parameters."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith("application/") and media_type.endswith("+json"):
        return JSON
    return SYNONYMS.get(media_type, media_type)


def recognise(content: bytes) -> str | None:
    """Return the media type that a body begins like, or None. Only a list or an object counts as JSON."""
    for offset, signature, media_type in SIGNATURES:
        if content.startswith(signature, offset):
            return media_type
    start = content[: len(BYTE_ORDER_MARK) + MAX_SPACES].removeprefix(BYTE_ORDER_MARK).lstrip(SPACE)
    return JSON if start[:1] in (b"{", b"[") else None
