"""
Tensors in regions of system shared memory, as Triton's extension "shared memory" has them.

A region is a part of a file in /dev/shm, which a client on the same machine has made. It is read and written like a
file and never mapped: a client that shortens it in the meantime gets an error, where a mapping would end the process.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

from app.arrays import Rows
from app.errors import MAX_REPEATED_CHARACTERS, InvalidSharedMemory, MalformedBody, Refused
from app.formats.tensors import output_bytes

FOLDER = Path("/dev/shm")  # noqa: S108  # the extension's place for POSIX shared memory
KEY = re.compile(r"/?(?!\.{1,2}$)[A-Za-z0-9._-]{1,250}")
"""A name of shm_open(3), with or without its slash: no key leads out of the folder."""
MAX_NAME_LENGTH = 250
MAX_REGIONS = 1024
"""Each region keeps a file open."""
REGION, OFFSET, BYTE_SIZE = SHARED_MEMORY = ("shared_memory_region", "shared_memory_offset", "shared_memory_byte_size")
"""Parameters of a tensor in shared memory."""


class Region(NamedTuple):
    """A registered region: a part of a file."""

    name: str
    key: str
    offset: int
    byte_size: int


class Span(NamedTuple):
    """The place of a tensor in a region."""

    region: str
    offset: int
    byte_size: int


Form: TypeAlias = bool | Span
"""The form of an output: True for bytes, False for JSON, or its place in shared memory."""
ReadShared = Callable[[Span], bytes]
WriteShared = Callable[[Span, bytes], object]


class Regions:
    """The registered regions of a process. Any thread may read and write them."""

    def __init__(self, refusal: str | None = None) -> None:
        self._refusal = refusal
        """The reason why regions cannot be registered, if so."""
        self.offered = refusal is None
        """True if clients may register regions."""
        self._regions: dict[str, tuple[Region, int]] = {}
        """The regions by name, each with its open file."""
        self._lock = Lock()

    def check_offered(self) -> None:
        """Raise Refused unless clients may register regions."""
        if self._refusal is not None:
            raise Refused(self._refusal)

    def register(self, name: str, key: str, offset: int, byte_size: int) -> None:
        """Register a part of a file. Raises Refused or InvalidSharedMemory."""
        self.check_offered()
        if not 0 < len(name) <= MAX_NAME_LENGTH:
            raise InvalidSharedMemory(f"expected a name of 1 to {MAX_NAME_LENGTH} characters for the region")
        if not KEY.fullmatch(key):
            raise InvalidSharedMemory(
                f"{_shown(name)}: expected a key such as /name, got {key[:MAX_REPEATED_CHARACTERS]!r}"
            )
        if offset < 0 or byte_size <= 0:
            raise InvalidSharedMemory(f"{_shown(name)}: expected an offset from 0 and a size from 1")
        file = _open(name, key)
        try:
            with self._lock:
                if name in self._regions:
                    raise InvalidSharedMemory(f"{_shown(name)}: a region of this name is registered already")
                if len(self._regions) >= MAX_REGIONS:
                    raise InvalidSharedMemory(f"expected at most {MAX_REGIONS} regions")
                _check_size(name, file, offset + byte_size)
                self._regions[name] = Region(name, key, offset, byte_size), file
        except InvalidSharedMemory:
            os.close(file)
            raise

    def unregister(self, name: str = "") -> None:
        """Forget a region, or all of them if none is named. An unknown one is forgotten already. Raises Refused."""
        self.check_offered()
        with self._lock:
            for known in [name] if name else list(self._regions):
                _, file = self._regions.pop(known, (None, None))
                if file is not None:
                    os.close(file)

    def status(self, name: str = "") -> list[Region]:
        """Return a region, or all of them if none is named. Raises Refused or InvalidSharedMemory."""
        self.check_offered()
        with self._lock:
            return [self._find(name)[0]] if name else [region for region, _ in self._regions.values()]

    def read(self, span: Span, add: Callable[[int], object]) -> bytes:
        """Return the bytes of a tensor, which `add` counts first. Raises Refused, InvalidSharedMemory or its errors."""
        self.check_offered()
        add(span.byte_size)
        with self._lock:
            start, file = self._place(span)
            parts, left = [], span.byte_size
            while left and (part := os.pread(file, left, start)):
                parts.append(part)
                left, start = left - len(part), start + len(part)
        if left:
            raise InvalidSharedMemory(f"{_shown(span.region)}: the file was shortened while it was read")
        return b"".join(parts)

    def write(self, span: Span, content: bytes) -> None:
        """Write the bytes of a tensor. Raises Refused or InvalidSharedMemory."""
        self.check_offered()
        if len(content) > span.byte_size:
            raise InvalidSharedMemory(
                f"{_shown(span.region)}: expected room for {len(content)} bytes, got {span.byte_size}"
            )
        with self._lock:
            start, file = self._place(span)
            try:
                written = 0
                while written < len(content):
                    written += os.pwrite(file, content[written:], start + written)
            except OSError as error:
                raise InvalidSharedMemory(f"{_shown(span.region)}: cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Forget all regions."""
        with suppress(Refused):
            self.unregister()

    def _place(self, span: Span) -> tuple[int, int]:
        """Return the start of a tensor in its file, and the file. It must lie in the region and in the file."""
        region, file = self._find(span.region)
        if span.offset < 0 or span.byte_size < 0 or span.offset + span.byte_size > region.byte_size:
            raise InvalidSharedMemory(
                f"{_shown(region.name)}: expected bytes within the {region.byte_size} of the region, "
                f"got {span.byte_size} from {span.offset} on"
            )
        _check_size(region.name, file, region.offset + span.offset + span.byte_size)
        return region.offset + span.offset, file

    def _find(self, name: str) -> tuple[Region, int]:
        if name not in self._regions:
            raise InvalidSharedMemory(f"{_shown(name)}: no region of this name is registered")
        return self._regions[name]


def read_span(parameters: Mapping[str, Any], name: str, offered: bool) -> Span:
    """Return the place of a tensor in shared memory. Raises Refused unless that is offered, or MalformedBody."""
    owner = name[:MAX_REPEATED_CHARACTERS]
    if not offered:
        parameter = next(parameter for parameter in SHARED_MEMORY if parameter in parameters)
        raise Refused(f"{owner}: expected tensors in the body; {parameter} is not offered")
    region, offset, size = parameters.get(REGION), parameters.get(OFFSET, 0), parameters.get(BYTE_SIZE)
    if not isinstance(region, str) or type(offset) is not int or type(size) is not int or min(offset, size) < 0:
        raise MalformedBody(f"{owner}: expected a {REGION}, and {BYTE_SIZE} and {OFFSET} as whole numbers from 0")
    return Span(region, offset, size)


def write_span(values: Rows, span: Span, write_shared: WriteShared) -> dict[str, Any]:
    """Write numbers to shared memory, and return the parameters that say where they are."""
    content = output_bytes(values)
    write_shared(span, content)
    return {REGION: span.region, OFFSET: span.offset, BYTE_SIZE: len(content)}


def _open(name: str, key: str) -> int:
    """Return the open file of a key; one that only can be read takes no outputs. Raises InvalidSharedMemory."""
    path, flags = FOLDER / key.removeprefix("/"), os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        try:
            file = os.open(path, os.O_RDWR | flags)
        except PermissionError:
            file = os.open(path, os.O_RDONLY | flags)
    except OSError as error:
        raise InvalidSharedMemory(f"{_shown(name)}: {key!r} cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise InvalidSharedMemory(f"{_shown(name)}: {key!r} is not shared memory")
    return file


def _check_size(name: str, file: int, end: int) -> None:
    size = os.fstat(file).st_size
    if end > size:
        raise InvalidSharedMemory(f"{_shown(name)}: expected at least {end} bytes of shared memory, got {size}")


def _shown(name: str) -> str:
    return f"region {name[:MAX_REPEATED_CHARACTERS]!r}"
