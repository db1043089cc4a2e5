"""
The dialect of a text file with a table: its comment lines, its separator and its header.

It is found in the first lines, and can be configured.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from training.errors import DataError

SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_NAMES = {"\t": "tab", " ": "spaces"}
SAMPLE_LINES = 100
"""Lines that the separator is looked for in."""
LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|$)")
COMMENT = re.compile(rb"[ \t]*[#%]")
COMMENT_LINE = re.compile(rb"^[ \t]*[#%][^\r\n]*(?:\r\n|\r|\n|\Z)", re.MULTILINE)
SEPARATOR_LINE = re.compile(rb"\s*sep=(.)\s*", re.IGNORECASE)
"""The first line that spreadsheets understand."""
NUMBER = re.compile(r"\s*[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class TextTable:
    """The rows of a text file, and how to read them."""

    names: tuple[str, ...]
    """The names of the columns, without spaces around them; empty if a column has no name."""
    body: bytes
    """The lines below the header, without comments."""
    separator: str
    notes: tuple[str, ...]
    """The unusual traits of the file, for the findings."""


def read_dialect(path: Path, content: bytes, separator: str | None, has_header: bool | None) -> TextTable:
    """Return the table in a text file. Raises DataError if its columns have no names, or if it has no lines."""
    notes = []
    if separator is None and (hint := SEPARATOR_LINE.fullmatch(_first_lines(content, 1)[0])):
        separator, content = hint[1].decode("latin-1"), content[hint.end() :]
    comments, content = _leading_comments(content)
    lines = [line.decode("utf-8") for line in _first_lines(content, SAMPLE_LINES) if line.strip()]
    if not lines:
        raise DataError(f"{path}: cannot be read as CSV: {'only comments' if comments else 'only empty lines'}")
    separator = separator or find_separator(lines)
    if separator == " ":
        content = re.sub(rb"[ \t]+", b" ", re.sub(rb"^[ \t]+|[ \t]+(?=[\r\n]|\Z)", b"", content, flags=re.MULTILINE))
        lines = [" ".join(line.split()) + "\n" for line in lines]
    header, used = _parse_header(lines, separator)
    rows = _parse(lines[used:], separator)
    names, skipped = _name_columns(path, header, rows, comments, separator, has_header)
    body = content
    for _ in range(used if skipped else 0):
        body = _without_line(body)
    body, dropped = _drop_comments(body, len(names), separator)
    if separator != ",":
        notes.append(f"separator {SEPARATOR_NAMES.get(separator, separator)}")
    if comments or dropped:
        count = len(comments) + dropped
        notes.append(f"{count} comment {'line' if count == 1 else 'lines'} passed over")
    return TextTable(tuple(name.strip() for name in names), body, separator, tuple(notes))


def find_separator(lines: list[str]) -> str:
    """Return the separator that gives most lines the same count of fields, and most fields the form of numbers."""
    best, best_score = ",", (0, 0.0, 0.0, 0)
    for candidate in SEPARATORS:
        rows = _parse(lines, candidate)
        ((count, times),) = Counter(map(len, rows)).most_common(1)
        fields = [field for row in rows[1:] for field in row]
        numeric = sum(bool(NUMBER.fullmatch(field)) or not field.strip() for field in fields)
        fit = {count: 2, count - 1: 1}.get(len(rows[0]), 0)  # R's header lacks the name of the rows' names
        score = (fit, round(times / len(rows), 1), numeric / max(1, len(fields)), count)
        if count > 1 and score > best_score:
            best, best_score = candidate, score
    is_spaced = best_score[3] == 0 and all(len(line.split()) == len(lines[0].split()) for line in lines)
    return " " if is_spaced and len(lines[0].split()) > 1 else best


def _parse(lines: list[str], separator: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t"))
    except csv.Error:  # a field of more than 131 072 characters, or a quotation mark that is not closed
        return [line.split(separator) for line in lines]


def _parse_header(lines: list[str], separator: str) -> tuple[list[str], int]:
    """Return the fields of the first row, and the count of its lines: a quoted name may have line breaks."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t")
    try:
        header = next(reader)
    except csv.Error:
        return lines[0].rstrip("\r\n").split(separator), 1
    return header, reader.line_num


def _name_columns(
    path: Path, header: list[str], rows: list[list[str]], comments: list[str], separator: str, has_header: bool | None
) -> tuple[list[str], bool]:
    """Return the names of the columns, and whether the first row is the header. Raises DataError."""
    if has_header is False:
        return [str(n) for n in range(len(header))], False
    if comments and has_header is None and any(map(NUMBER.fullmatch, header)):
        # numpy.savetxt and others write the header behind the sign of comments
        names = comments[-1].split() if separator == " " else _parse([comments[-1]], separator)[0]
        if len(names) == len(header) and not any(map(NUMBER.fullmatch, names)):
            return names, False
    if has_header is None and _looks_like_data(header, rows):
        raise DataError(
            f"{path}: expected the columns' names in the first row, got numbers: {', '.join(header[:3])}; "
            "--no-header numbers the columns from 0, --header takes the row for names"
        )
    if rows and all(len(row) == len(header) + 1 for row in rows):
        has_trailing = all(not row[-1].strip() for row in rows)
        return ([*header, ""] if has_trailing else ["", *header]), True  # R leaves out the name of the rows' names
    return header, True


def _looks_like_data(header: list[str], rows: list[list[str]]) -> bool:
    """Return whether the first row has numbers that are no names: years and 0, 1, 2 may be names beside text."""
    numbers = [name.strip() for name in header if NUMBER.fullmatch(name)]
    if not numbers or header == [str(n) for n in range(len(header))]:
        return False
    if len(numbers) == len(header) or not all(number.isdecimal() for number in numbers):
        return True
    values = [int(number) for number in numbers]
    is_sequence = values == sorted(set(values)) or values == sorted(set(values), reverse=True)
    text = [(column, name) for column, name in enumerate(header) if name.strip() and not NUMBER.fullmatch(name)]
    recurs = any(row[column : column + 1] == [name] for column, name in text for row in rows)
    return not is_sequence or recurs


def _leading_comments(content: bytes) -> tuple[list[str], bytes]:
    """Return the texts of the comment lines before the table, and the rest of the file."""
    comments = []
    while content and (line := LINE.match(content)):
        text = line[0]
        if text.strip() and not COMMENT.match(text):
            break
        if text.strip():
            comments.append(text.decode("utf-8").strip().lstrip("#% \t"))
        content = content[len(text) :]
    is_header = len(comments) == 1 and len(_first_lines(content, 2)) == 0
    return ([], comments[0].encode()) if is_header else (comments, content)


def _drop_comments(body: bytes, fields: int, separator: str) -> tuple[bytes, int]:
    """Return the rows without lines that begin as a comment and are no row, and the count of these lines."""
    if b"#" not in body and b"%" not in body:
        return body, 0
    found = COMMENT_LINE.findall(body)
    if not found or any(len(row) == fields for row in _parse([line.decode() for line in found[:1000]], separator)):
        return body, 0
    return COMMENT_LINE.sub(b"", body), len(found)


def _first_lines(content: bytes, count: int) -> list[bytes]:
    return [line[0] for line in islice(LINE.finditer(content), count)]


def _without_line(content: bytes) -> bytes:
    """Return the content below its first line that is not empty."""
    at = 0
    while line := LINE.match(content, at):
        at = line.end()
        if line[0].strip() or at >= len(content):
            break
    return content[at:]
