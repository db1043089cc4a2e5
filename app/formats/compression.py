"""Compressed bodies to what was compressed, never more of it than was allowed."""

from __future__ import annotations

import io
import zlib

from app.errors import DecompressedTooLarge, MalformedBody, UnsupportedEncoding

ENCODINGS = ("gzip", "deflate")
"""What a Content-Encoding may name, beside `x-gzip`, an old name of gzip, and `identity`, which is none."""
STEP = 16 * 1024
"""Bytes that the inflater is given at once: it copies what it has not used of them."""
CHUNK = 256 * 1024
"""Bytes that it gives at once, at most."""
GZIP, ZLIB, RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
FAST = 1
"""zlib's level for answers: numbers hardly get smaller on a higher one, and take several times as long."""


def decompress(content: bytes, encoding: str, limit: int) -> bytes:
    """
    What a body of one Content-Encoding holds. `limit` counts bytes of what it becomes, and memory stays near it.

    `deflate` may be a zlib stream or, as some clients send it, a raw one. gzip has one member.
    Raises UnsupportedEncoding, DecompressedTooLarge, or MalformedBody of what is corrupt, cut off or followed by more.
    Source: RFC 9110, section 8.4.1; RFC 1950, 1951 and 1952
    """
    match encoding.strip().lower():
        case "" | "identity":
            return content
        case "gzip" | "x-gzip":
            return _inflate(content, "gzip", GZIP, limit)
        case "deflate":
            return _inflate(content, "deflate", ZLIB if _is_zlib(content) else RAW, limit)
    raise UnsupportedEncoding(
        f"expected a Content-Encoding of {' or '.join(ENCODINGS)}, and one alone, got {encoding[:60]!r}",
        headers={"Accept-Encoding": ", ".join(ENCODINGS)},
        supported=list(ENCODINGS),
    )


def compress(content: bytes, encoding: str) -> bytes:
    """A body in one of ENCODINGS; `deflate` is a zlib stream."""
    deflater = zlib.compressobj(FAST, zlib.DEFLATED, GZIP if encoding == "gzip" else ZLIB)
    return deflater.compress(content) + deflater.flush()


def _is_zlib(content: bytes) -> bool:
    """
    Whether a stream begins as zlib's do. A raw one would have to begin with a stored block whose padding is not zero.

    Source: RFC 1950, section 2.2
    """
    return len(content) > 1 and content[0] & 0x0F == zlib.DEFLATED and int.from_bytes(content[:2], "big") % 31 == 0


def _inflate(content: bytes, name: str, window: int, limit: int) -> bytes:
    inflater, view, inflated = zlib.decompressobj(window), memoryview(content), io.BytesIO()
    at = 0
    try:
        while not inflater.eof and at < len(view):
            fed: bytes | memoryview = view[at : at + STEP]
            at += len(fed)
            chunk = inflater.decompress(fed, CHUNK)
            while chunk:
                if inflated.tell() + len(chunk) > limit:
                    raise DecompressedTooLarge(f"expected a body of at most {limit} bytes when decompressed, got more")
                inflated.write(chunk)
                chunk = inflater.decompress(inflater.unconsumed_tail, CHUNK)
    except zlib.error as error:
        raise MalformedBody(f"expected a {name} body, but it cannot be decompressed") from error
    if not inflater.eof:
        raise MalformedBody(f"expected a whole {name} body, but it ends too early")
    if extra := len(inflater.unused_data) + len(view) - at:
        raise MalformedBody(f"expected nothing after the {name} body, got {extra} bytes")
    return inflated.getvalue()
