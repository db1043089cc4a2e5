"""Read forms of files (multipart/form-data), as browsers and `curl -F` send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import InvalidInput, MalformedBody, TooManyParts

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

DISPOSITION = b"content-disposition"


def read_files(content: bytes, content_type: bytes, max_parts: int) -> list[bytes]:
    """
    Return the files of a form in order, whatever the names of their fields.

    Raises MalformedBody, TooManyParts before further parts are read, or InvalidInput for a field that is not a file.
    Source: RFC 7578
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise MalformedBody("expected a boundary in the Content-Type of a form; curl -F sets one by itself")
    form = _Form(max_parts)
    try:
        parser = MultipartParser(boundary, form.callbacks)
        parser.write(content)
    except FormParserError as error:
        raise MalformedBody(f"expected a form, but: {error}") from error
    if not form.ended:
        raise MalformedBody("expected a whole form, but it ends before its last boundary")
    return form.files


class _Form:
    """The parts that the parser has read so far, collected by its callbacks."""

    def __init__(self, max_parts: int) -> None:
        self.files: list[bytes] = []
        self.ended = False
        self._max_parts = max_parts
        self._name = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes] = []
        self.callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._add_to_name,
            "on_header_value": self._add_to_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.files) == self._max_parts:
            raise TooManyParts(f"expected at most {self._max_parts} parts in a form, got more")
        self._headers, self._chunks = {}, []

    def _add_to_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _end_headers(self) -> None:
        options = parse_options_header(self._headers.get(DISPOSITION))[1]
        if b"filename" not in options:
            name = options.get(b"name", b"").decode("latin-1")
            raise InvalidInput(f"expected files in the form, got the field {name[:60]!r}; options go into the query")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._chunks.append(data[start:end])

    def _end_part(self) -> None:
        self.files.append(b"".join(self._chunks))

    def _end(self) -> None:
        self.ended = True
