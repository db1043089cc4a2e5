"""Compressed bodies are decompressed, or refused before they take memory."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import DecompressedTooLarge, MalformedBody, UnsupportedEncoding
from app.formats.compression import OUTPUT_CHUNK_BYTES, compress, decompress

MEBIBYTE = 1024 * 1024


def raw_deflate(content: bytes, level: int = 6) -> bytes:
    """Return a deflate stream without zlib's header, as some clients send it."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(content) + deflater.flush()


ENCODERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    (" GZip ", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("deflate", lambda content: raw_deflate(content, level=0)),
    ("identity", bytes),
    ("", bytes),
]
IDS = ["gzip", "x-gzip", "GZip", "zlib", "raw", "raw, stored", "identity", "none"]


@pytest.mark.parametrize(("encoding", "pack"), ENCODERS, ids=IDS)
@given(content=st.binary(max_size=4000), repeats=st.integers(1, 300))
def test_compressed_bodies_are_restored(
    encoding: str, pack: Callable[[bytes], bytes], content: bytes, repeats: int
) -> None:
    whole = content * repeats
    assert decompress(pack(whole), encoding, len(whole)) == whole


@given(content=st.binary(max_size=4000))
def test_other_implementations_read_compressed_answers(content: bytes) -> None:
    assert gzip.decompress(compress(content, "gzip")) == content
    assert zlib.decompress(compress(content, "deflate")) == content


@pytest.mark.parametrize(
    "size", [1, 1000, OUTPUT_CHUNK_BYTES - 1, OUTPUT_CHUNK_BYTES, OUTPUT_CHUNK_BYTES + 1, 3 * OUTPUT_CHUNK_BYTES]
)
def test_the_limit_is_exact(size: int) -> None:
    content = bytes(size)
    for encoding, pack in ENCODERS[:5]:
        assert decompress(pack(content), encoding, size) == content
        with pytest.raises(DecompressedTooLarge, match=f"at most {size - 1} bytes"):
            decompress(pack(content), encoding, size - 1)


@pytest.mark.parametrize(("encoding", "pack"), ENCODERS[:1] + ENCODERS[3:5], ids=["gzip", "zlib", "raw"])
def test_decompression_bombs_take_no_more_memory_than_the_limit(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    limit = 4 * MEBIBYTE
    bomb = pack(bytes(32 * MEBIBYTE))
    assert len(bomb) < MEBIBYTE
    tracemalloc.start()
    try:
        with pytest.raises(DecompressedTooLarge):
            decompress(bomb, encoding, limit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.25 * limit + 2 * OUTPUT_CHUNK_BYTES  # a buffer that grows by eighths, and the chunk beside it


@pytest.mark.parametrize(("encoding", "pack"), ENCODERS[:1] + ENCODERS[3:5], ids=["gzip", "zlib", "raw"])
@given(content=st.binary(max_size=500), data=st.data())
def test_truncated_bodies_are_refused(
    encoding: str, pack: Callable[[bytes], bytes], content: bytes, data: st.DataObject
) -> None:
    packed = pack(content)
    end = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(MalformedBody):
        decompress(packed[:end], encoding, MEBIBYTE)


@pytest.mark.parametrize(("encoding", "pack"), ENCODERS[:1] + ENCODERS[3:5], ids=["gzip", "zlib", "raw"])
@given(content=st.binary(max_size=100), more=st.binary(min_size=1, max_size=100), far=st.booleans())
def test_bytes_after_the_body_are_refused(
    encoding: str, pack: Callable[[bytes], bytes], content: bytes, more: bytes, far: bool
) -> None:
    more = more * 1000 if far else more
    with pytest.raises(MalformedBody, match=f"nothing after the {encoding} body, got {len(more)} bytes"):
        decompress(pack(content) + more, encoding, MEBIBYTE)


def test_a_second_gzip_member_is_refused() -> None:
    with pytest.raises(MalformedBody, match="nothing after"):
        decompress(gzip.compress(b"a") + gzip.compress(b"b"), "gzip", 100)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("at", [-1, -5, 2])
def test_corrupt_bodies_are_refused(encoding: str, at: int) -> None:
    packed = bytearray(compress(b"a body of some length" * 9, encoding))
    packed[at] ^= 0xFF
    with pytest.raises(MalformedBody):
        decompress(bytes(packed), encoding, MEBIBYTE)


@given(content=st.binary(max_size=300), encoding=st.sampled_from(["gzip", "deflate"]))
def test_any_bytes_are_read_or_refused(content: bytes, encoding: str) -> None:
    try:
        decompress(content, encoding, 10_000)
    except (MalformedBody, DecompressedTooLarge):
        return


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "deflate,gzip", "compress", "gzip;q=1", "ü"])
def test_other_encodings_are_refused_and_the_supported_ones_listed(encoding: str) -> None:
    with pytest.raises(UnsupportedEncoding, match="gzip or deflate") as caught:
        decompress(b"", encoding, 100)
    assert caught.value.headers == {"Accept-Encoding": "gzip, deflate"}
    assert caught.value.members == {"supported": ["gzip", "deflate"]}
