"""Text files are read in the encodings that people have, and what is no text is named."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

import pytest

from training.data.tables.text import is_text_table, other_format, read_text
from training.errors import DataError

WORD = "größe,b\n1,2\n"


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (WORD.encode(), ""),
        (codecs.BOM_UTF8 + WORD.encode(), ""),
        (codecs.BOM_UTF16_LE + WORD.encode("utf-16-le"), "text in UTF-16-LE"),
        (codecs.BOM_UTF16_BE + WORD.encode("utf-16-be"), "text in UTF-16-BE"),
        (codecs.BOM_UTF32_LE + WORD.encode("utf-32-le"), "text in UTF-32-LE"),
        (WORD.encode("utf-16-le"), "text in UTF-16-LE, as its zero bytes tell"),
        (WORD.encode("utf-16-be"), "text in UTF-16-BE, as its zero bytes tell"),
        (WORD.encode("latin-1"), "not UTF-8, so it was read as Windows-1252, which is a guess: see --encoding"),
        (gzip.compress(WORD.encode(), mtime=0), ""),
        (gzip.compress(WORD.encode("latin-1"), mtime=0), "not UTF-8, so it was read as Windows-1252, which is a guess: "
         "see --encoding"),
    ],
)  # fmt: skip
def test_the_encoding_is_found_and_stated(tmp_path: Path, content: bytes, note: str) -> None:
    (tmp_path / "l.csv").write_bytes(content)
    assert read_text(tmp_path / "l.csv") == (WORD.encode(), note)


def test_windows_1252_has_a_euro_sign_and_latin_1_is_the_last_resort(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_bytes(b"\x80 price\n")
    assert read_text(tmp_path / "l.csv").content.decode() == "€ price\n"
    (tmp_path / "l.csv").write_bytes(b"\x81\xe9\n")  # 0x81 is undefined in Windows-1252
    assert read_text(tmp_path / "l.csv") == (
        "\x81é\n".encode(),
        "not UTF-8, so it was read as Latin-1, which is a guess: see --encoding",
    )


def test_a_configured_encoding_is_used_without_a_guess(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_bytes("вес,b\n".encode("cp1251"))
    assert read_text(tmp_path / "l.csv", "cp1251") == ("вес,b\n".encode(), "text in cp1251, as configured")


@pytest.mark.parametrize(
    ("content", "encoding", "complaint"),
    [
        (b"a,b\n1,2\n\0,3\n", None, "line 3: a NUL byte"),
        (b"\0" * 500, None, "line 1: a NUL byte"),
        (b"PK\x03\x04...", None, "expected text, got a ZIP archive or a spreadsheet: save the sheet as CSV"),
        (b"PAR1...", None, r"expected text, got a Parquet file: give it the suffix \.parquet"),
        (gzip.compress(b"a,b\n", mtime=0)[:-6], None, "cannot be read: Compressed file ended"),
        (b"\x1f\x8b\x08\x00nonsense", None, "cannot be read"),
        (codecs.BOM_UTF16_LE + b"a\0b", None, "not 'utf-16-le'"),
        (codecs.BOM_UTF8 + b"\xff,b\n", None, "not 'utf-8'"),
        (b"\xff,b\n", "utf-8", "not 'utf-8'"),
        (b"a,b\n", "klingon", 'unknown encoding "klingon"; some are utf-8'),
        (b"a,b\n", "base64", 'unknown encoding "base64"'),
        (b"a,b\n", "a\0b", "embedded null"),
    ],
)
def test_bytes_that_are_no_text_are_named(tmp_path: Path, content: bytes, encoding: str | None, complaint: str) -> None:
    (tmp_path / "l.csv").write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        read_text(tmp_path / "l.csv", encoding)
    assert str(caught.value).startswith(str(tmp_path / "l.csv"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "is_table"),
    [("a.csv", True), ("A.TSV", True), ("a.csv.gz", True), ("a.txt", True), ("a.gz", False), ("a.png", False)],
)
def test_tables_are_known_by_their_suffix(name: str, is_table: bool) -> None:
    assert is_text_table(Path(name)) is is_table


def test_other_formats_are_described_by_their_first_bytes() -> None:
    assert other_format(b"SQLite format 3\0") == "a database: save the table as CSV"
    assert other_format(b"a,b\n") is None
