"""
The parts of an image file, counted before it is decoded: Pillow reads each in Python, or decodes all pixels again.

Without these bounds a PNG of 1.4 million empty chunks (16 MiB) takes 16 s, and a JPEG of 4 million empty segments 12 s.
WebP files are read in C, at more than 100 MB/s.
"""

from __future__ import annotations

import re

from app.errors import InvalidImage

MAX_PARTS = 1000
"""Chunks of a PNG, except those of pixels; segments of a JPEG, except its scans. Photos have 10 to 50."""
MIN_PIXEL_CHUNK_BYTES = 1024
"""The average size of a PNG's chunks of pixels, if there are more than MAX_PARTS. libpng writes 8192 bytes."""
MAX_SCANS = 64
"""Scans of a JPEG: each decodes all pixels again. Encoders write about 10 for a progressive image."""
MAX_GAP_BYTES = 64
"""Bytes that fill the space between two segments of a JPEG. Pillow reads them one by one."""

PNG_START, PNG_CHUNK_BYTES = 8, 12
"""Bytes before the first chunk, and those of a chunk without data. Source: W3C, "PNG", sections 5.2 and 5.3"""
PIXEL_CHUNKS = (b"IDAT", b"fdAT", b"fcTL")
JPEG_START = 2
SCAN, END = 0xDA, 0xD9
FRAMES, PROGRESSIVE_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}, {0xC2, 0xCA}
"""Those that libjpeg decodes. Source: ITU-T T.81, table B.1"""
HEAD_MARKER = re.compile(rb"\xff[^\x00\xff]")
SCAN_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""A marker after the first scan. Scans contain 0xFF only before 0 and in restart markers."""
WITHOUT_LENGTH = {0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}
"""Markers that Pillow takes to have no length and no content."""


def check_parts(content: bytes, media_type: str) -> None:
    """Raise InvalidImage if a PNG has too many chunks, or a JPEG too many segments or scans."""
    if media_type == "image/png":
        if len(content) > PNG_CHUNK_BYTES * MAX_PARTS or content.count(b"iCCP") > 1:
            _check_chunks(content)
    elif media_type == "image/jpeg":
        _check_segments(content)


def _check_chunks(content: bytes) -> None:
    at, parts, pixel_chunks, profiles = PNG_START, 0, 0, 0
    max_pixel_chunks = MAX_PARTS + len(content) // MIN_PIXEL_CHUNK_BYTES
    while (kind := content[at + 4 : at + 8]) not in (b"IEND", b""):
        if kind in PIXEL_CHUNKS:
            pixel_chunks += 1
        else:
            parts += 1
            profiles += kind == b"iCCP"
        if profiles > 1:
            raise InvalidImage("expected a PNG image with one colour profile, got several")
        if parts > MAX_PARTS or pixel_chunks > max_pixel_chunks:
            raise InvalidImage(f"expected a PNG image of at most {MAX_PARTS} chunks, got more")
        at += PNG_CHUNK_BYTES + int.from_bytes(content[at : at + 4], "big")


def _check_segments(content: bytes) -> None:
    at, parts, scans = JPEG_START, 0, 0
    progressive, components = False, b""
    while True:
        marker = SCAN_MARKER.search(content, at) if scans else HEAD_MARKER.search(content, at, at + MAX_GAP_BYTES + 2)
        if marker is None:
            if not scans and len(content) > at + MAX_GAP_BYTES:
                raise InvalidImage("expected a JPEG image whose segments follow each other, got a gap")
            return
        kind, at = content[marker.end() - 1], marker.end()
        parts += 1
        scans += kind == SCAN
        if scans > MAX_SCANS:
            raise InvalidImage(f"expected a JPEG image of at most {MAX_SCANS} scans, got more")
        if parts > MAX_PARTS:
            raise InvalidImage(f"expected a JPEG image of at most {MAX_PARTS} segments, got more")
        if kind in FRAMES:
            progressive, components = kind in PROGRESSIVE_FRAMES, content[at + 7 : at + 8]
        if scans == 1 and kind == SCAN and not (progressive or content[at + 2 : at + 3] != components):
            return  # libjpeg stops after the first scan
        if scans and (kind == END or content.count(b"\xff\xda") <= MAX_SCANS):
            return
        if kind not in WITHOUT_LENGTH:
            at += max(2, int.from_bytes(content[at : at + 2], "big"))
