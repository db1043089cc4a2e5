"""Decompress request bodies up to a size limit, and compress answers."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

from app.errors import DecompressedTooLarge, MalformedBody, UnsupportedEncoding

ENCODINGS = ("gzip", "deflate")
"""Supported names in Content-Encoding, besides `x-gzip`, an old name of gzip, and `identity`, no compression."""
INPUT_CHUNK_BYTES = 16 * 1024
"""Compressed bytes per call of the inflater, which copies the bytes that it has not used."""
OUTPUT_CHUNK_BYTES = 256 * 1024
"""Largest number of decompressed bytes per call of the inflater."""
GZIP_WINDOW, ZLIB_WINDOW, RAW_WINDOW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
"""Window sizes that make zlib expect the header of gzip, that of zlib, or none."""
ANSWER_LEVEL = 1
"""zlib's level for answers. Higher levels take several times as long, and numbers hardly get smaller."""

Count = Callable[[int], object]


def decompress(content: bytes, encoding: str, limit: int, count: Count | None = None) -> bytes:
    """
    Return the decompressed body. `limit` is its largest size in bytes, and memory use stays near it.

    `count` receives the size of each part before the part is kept, and may raise an error.

    `deflate` may be a zlib stream or, as some clients send it, a raw one. gzip must have one member.
    Raises UnsupportedEncoding, DecompressedTooLarge, or MalformedBody if the body is corrupt, cut off or followed by
    more bytes.
    Source: RFC 9110, section 8.4.1; RFC 1950, 1951 and 1952
    """
    match encoding.strip().lower():
        case "" | "identity":
            return content
        case "gzip" | "x-gzip":
            return _inflate(content, "gzip", GZIP_WINDOW, limit, count)
        case "deflate":
            window = ZLIB_WINDOW if _has_zlib_header(content) else RAW_WINDOW
            return _inflate(content, "deflate", window, limit, count)
    raise UnsupportedEncoding(
        f"expected a single Content-Encoding of {' or '.join(ENCODINGS)}, got {encoding[:60]!r}",
        headers={"Accept-Encoding": ", ".join(ENCODINGS)},
        supported=list(ENCODINGS),
    )


def compress(content: bytes, encoding: str) -> bytes:
    """Return a body in one of ENCODINGS. `deflate` gives a zlib stream."""
    deflater = zlib.compressobj(ANSWER_LEVEL, zlib.DEFLATED, GZIP_WINDOW if encoding == "gzip" else ZLIB_WINDOW)
    return deflater.compress(content) + deflater.flush()


def _has_zlib_header(content: bytes) -> bool:
    """
    Return whether a stream begins with a header of zlib.

    A raw stream would do so only if it began with a stored block whose padding is not zero.
    Source: RFC 1950, section 2.2
    """
    return len(content) > 1 and content[0] & 0x0F == zlib.DEFLATED and int.from_bytes(content[:2], "big") % 31 == 0


def _inflate(content: bytes, name: str, window: int, limit: int, count: Count | None) -> bytes:
    inflater, view, inflated = zlib.decompressobj(window), memoryview(content), io.BytesIO()
    at = 0
    try:
        while not inflater.eof and at < len(view):
            compressed = view[at : at + INPUT_CHUNK_BYTES]
            at += len(compressed)
            chunk = inflater.decompress(compressed, OUTPUT_CHUNK_BYTES)
            while chunk:
                if inflated.tell() + len(chunk) > limit:
                    raise DecompressedTooLarge(f"expected a body of at most {limit} bytes when decompressed, got more")
                if count is not None:
                    count(len(chunk))
                inflated.write(chunk)
                chunk = inflater.decompress(inflater.unconsumed_tail, OUTPUT_CHUNK_BYTES)
    except zlib.error as error:
        raise MalformedBody(f"expected a {name} body, but it cannot be decompressed") from error
    if not inflater.eof:
        raise MalformedBody(f"expected a whole {name} body, but it ends too early")
    if extra := len(inflater.unused_data) + len(view) - at:
        raise MalformedBody(f"expected nothing after the {name} body, got {extra} bytes")
    return inflated.getvalue()
