"""The bytes of a text file as UTF-8, with a stated guess of its encoding."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

from training.errors import DataError

TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data")
GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
OTHER_FORMATS = (
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet: save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet: save the sheet as CSV"),
    (b"PAR1", "a Parquet file: give it the suffix .parquet"),
    (b"%PDF", "a PDF"),
    (b"\x93NUMPY", "a numpy array: give it the suffix .npy"),
    (b"SQLite format 3", "a database: save the table as CSV"),
    (b"\x89HDF", "an HDF5 file: save the table as CSV or .npz"),
    (b"ARROW1", "an Arrow file: save the table as Parquet"),
)
"""The first bytes of files that are no text, and a description."""
SAMPLE_BYTES = 4096
"""Bytes in which the zeros of UTF-16 are looked for."""
CHUNK_BYTES = 2**20


class Text(NamedTuple):
    """The text of a file."""

    content: bytes
    """UTF-8 without a byte order mark."""
    note: str
    """The encoding for the findings, if it is not UTF-8."""


def is_text_table(path: Path) -> bool:
    """Return whether a file's name is that of a table in text, gzipped or not."""
    return path.name.lower().removesuffix(".gz").endswith(TEXT_SUFFIXES)


def read_text(path: Path, encoding: str | None = None) -> Text:
    """
    Return the text of a file, gzipped or not.

    Without an encoding, a byte order mark decides; then the file is UTF-8 if it can be; else Windows-1252, which is a
    guess. Raises DataError.
    """
    content = _read_bytes(path)
    if description := other_format(content):
        raise DataError(f"{path}: expected text, got {description}")
    if encoding is not None:
        return Text(_decode(path, content, encoding), f"text in {encoding}, as configured")
    for mark, name in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            if name == "utf-8" and _is_utf8(content):
                return Text(_refuse_nul(path, content[len(mark) :]), "")
            return Text(_decode(path, content[len(mark) :], name), f"text in {name.upper()}")
    if wide := _wide_encoding(content):
        return Text(_decode(path, content, wide), f"text in {wide.upper()}, as its zero bytes tell")
    if _is_utf8(content):
        return Text(_refuse_nul(path, content), "")
    note = "not UTF-8, so it was read as {}, which is a guess: see --encoding"
    try:
        return Text(_refuse_nul(path, content.decode("cp1252").encode()), note.format("Windows-1252"))
    except UnicodeDecodeError:
        return Text(_refuse_nul(path, content.decode("latin-1").encode()), note.format("Latin-1"))


def other_format(content: bytes) -> str | None:
    """Return a description of a file that is no table that can be read, by its first bytes; None for others."""
    return next((description for magic, description in OTHER_FORMATS if content.startswith(magic)), None)


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _decode(path: Path, content: bytes, encoding: str) -> bytes:
    try:
        text = content.decode(encoding)
    except LookupError as error:
        raise DataError(f'{path}: unknown encoding "{encoding}"; some are utf-8, utf-16, cp1252, latin-1') from error
    except (UnicodeError, ValueError, TypeError) as error:
        raise DataError(f"{path}: not {encoding!r}: {' '.join(str(error).split())}") from error
    return _refuse_nul(path, text.removeprefix("\ufeff").encode("utf-8", "replace"))


def _is_utf8(content: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), CHUNK_BYTES):
            decoder.decode(content[start : start + CHUNK_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _wide_encoding(content: bytes) -> str | None:
    """Return UTF-16's name if every other byte of Latin text is zero, as without a byte order mark."""
    sample = content[:SAMPLE_BYTES]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if len(sample) < 4 or max(even, odd) < 0.4 * len(sample) / 2 or min(even, odd) > 0.05 * len(sample) / 2:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _refuse_nul(path: Path, content: bytes) -> bytes:
    if (at := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, at) + 1
        raise DataError(f"{path}: line {line}: a NUL byte, which text does not have; is the file damaged?")
    return content
