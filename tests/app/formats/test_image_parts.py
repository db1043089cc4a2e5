"""Image files of many parts are refused before they are decoded."""

from __future__ import annotations

import io
import time
import zlib

import pytest
from PIL import Image

from app.errors import InvalidImage
from app.formats.image_parts import MAX_PARTS, MAX_SCANS, check_parts
from app.formats.images import read_image
from app.inputs import ImageInput, ValueRange

DIGIT = ImageInput(shape=(1, 28, 28), value_range=ValueRange(low=0, high=1))
SIXTEEN_MEBIBYTES = 16 * 2**20


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """Return a chunk of a PNG."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(before: bytes = b"", between: bytes = b"", after: bytes = b"") -> bytes:
    """Return a PNG with more chunks before, between and after those of its pixels."""
    size = (28).to_bytes(4, "big")
    pixels = zlib.compress(bytes(29 * 28))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + size + bytes([8, 0, 0, 0, 0]))
        + before
        + chunk(b"IDAT", pixels[:10])
        + between
        + chunk(b"IDAT", pixels[10:])
        + after
        + chunk(b"IEND")
    )


def jpeg(progressive: bool = False) -> bytes:
    """Return a JPEG of a digit's size."""
    buffer = io.BytesIO()
    Image.new("RGB", (28, 28), "red").save(buffer, "JPEG", progressive=progressive)
    return buffer.getvalue()


JPEG, PROGRESSIVE = jpeg(), jpeg(progressive=True)
SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2]
EMPTY, COMMENT = chunk(b"teSt"), b"\xff\xfe\x00\x02"
PROFILE = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1000)))

FLOODS = {
    "chunks before the pixels": ("image/png", png(before=EMPTY * (SIXTEEN_MEBIBYTES // len(EMPTY)))),
    "chunks of no pixels": ("image/png", png(between=chunk(b"IDAT") * (SIXTEEN_MEBIBYTES // 12))),
    "chunks after the pixels": ("image/png", png(after=EMPTY * MAX_PARTS)),
    "profiles": ("image/png", png(before=PROFILE * 2)),
    "segments": ("image/jpeg", JPEG[:2] + COMMENT * (SIXTEEN_MEBIBYTES // 4) + JPEG[2:]),
    "segments without a length": ("image/jpeg", JPEG[:2] + b"\xff\xd8" * 2_000_000 + JPEG[2:]),
    "bytes of padding": ("image/jpeg", JPEG[:2] + b"\xff" * SIXTEEN_MEBIBYTES + JPEG[2:]),
    "bytes of padding at the end": ("image/jpeg", JPEG[:2] + b"\xff" * SIXTEEN_MEBIBYTES),
    "junk": ("image/jpeg", JPEG[:20] + b"\x01" * SIXTEEN_MEBIBYTES + JPEG[20:]),
    "scans": ("image/jpeg", PROGRESSIVE[:-2] + SCAN * MAX_SCANS + PROGRESSIVE[-2:]),
    "scans behind a false end": (
        "image/jpeg",
        PROGRESSIVE[:-2] + b"\xff\xe1\x00\x04\xff\xd9" + SCAN * MAX_SCANS + PROGRESSIVE[-2:],
    ),
}


@pytest.mark.parametrize(("media_type", "content"), FLOODS.values(), ids=list(FLOODS))
def test_a_flood_of_parts_is_refused_at_once(media_type: str, content: bytes) -> None:
    start = time.process_time()
    with pytest.raises(InvalidImage, match=r"expected a (PNG|JPEG) image"):
        read_image(content, media_type, DIGIT, 10**6)
    assert time.process_time() - start < 1


USUAL = {
    "png": ("image/png", png()),
    "png with many chunks": ("image/png", png(before=EMPTY * (MAX_PARTS - 1))),
    "png with a profile": ("image/png", png(before=PROFILE)),
    "png with the name of a profile": ("image/png", png(before=PROFILE + chunk(b"tEXt", b"a\0iCCP"))),
    "png with bytes after its end": ("image/png", png() + bytes(100_000)),
    "jpeg": ("image/jpeg", JPEG),
    "jpeg with many segments": ("image/jpeg", JPEG[:2] + COMMENT * (MAX_PARTS - 20) + JPEG[2:]),
    "jpeg with padding": ("image/jpeg", JPEG[:2] + b"\xff" * 50 + JPEG[2:]),
    "progressive": ("image/jpeg", PROGRESSIVE),
    "jpeg before a film": ("image/jpeg", JPEG + b"\xff\xda" * 1000),
    "progressive before a film": ("image/jpeg", PROGRESSIVE + b"\xff\xda" * 1000),
    "progressive with the bytes of a scan elsewhere": (
        "image/jpeg",
        PROGRESSIVE[:2] + b"\xff\xe5\x01\x02" + b"\xff\xda" * 128 + PROGRESSIVE[2:],
    ),
}


@pytest.mark.parametrize(("media_type", "content"), USUAL.values(), ids=list(USUAL))
def test_usual_files_are_decoded(media_type: str, content: bytes) -> None:
    assert read_image(content, media_type, DIGIT, 10**6).shape == (1, 1, 28, 28)


def test_pixels_may_be_in_many_chunks_if_the_file_is_large() -> None:
    check_parts(png(between=chunk(b"IDAT", bytes(1100)) * 5000), "image/png")  # does not raise


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg"])
@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xda", JPEG[:-20], png()[:50], bytes(50)])
def test_broken_files_are_left_to_the_decoder(media_type: str, content: bytes) -> None:
    check_parts(content, media_type)  # does not raise
