"""Regions of shared memory are read and written within their bounds, whatever happens to their files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import InvalidSharedMemory, MalformedBody, Overloaded, Refused
from app.formats.shared_memory import FOLDER, Regions, Span, read_span, write_span

CONTENT = bytes(range(96))


@pytest.fixture
def memory() -> Iterator[SharedMemory]:
    """Make shared memory of 96 bytes."""
    memory = SharedMemory(create=True, size=96)
    (FOLDER / memory.name).write_bytes(CONTENT)
    yield memory
    memory.close()
    memory.unlink()


@pytest.fixture
def regions(memory: SharedMemory) -> Iterator[Regions]:
    """Register a part in the middle of the memory."""
    regions = Regions()
    regions.register("part", f"/{memory.name}", 32, 32)
    yield regions
    regions.close()


def read(regions: Regions, *span: Any) -> bytes:
    """Return the bytes of a span."""
    return regions.read(Span(*span), lambda _: None)


def content(memory: SharedMemory) -> bytes:
    """Return the bytes of shared memory."""
    return (FOLDER / memory.name).read_bytes()


def open_file_count() -> int:
    """Return the number of this process's open files."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_bytes_are_read_and_written_from_the_region_on(regions: Regions, memory: SharedMemory) -> None:
    assert read(regions, "part", 0, 32) == CONTENT[32:64]
    assert read(regions, "part", 30, 2) == CONTENT[62:64]
    assert read(regions, "part", 32, 0) == b""
    regions.write(Span("part", 4, 8), b"written")
    assert content(memory) == CONTENT[:36] + b"written" + CONTENT[43:]


@pytest.mark.parametrize("span", [("part", 1, 32), ("part", 33, 0), ("part", -1, 4), ("part", 0, -1), ("none", 0, 1)])
def test_bytes_beyond_the_region_are_refused(
    regions: Regions, memory: SharedMemory, span: tuple[str, int, int]
) -> None:
    with pytest.raises(InvalidSharedMemory):
        read(regions, *span)
    with pytest.raises(InvalidSharedMemory):
        regions.write(Span(*span), b"x" * max(0, span[2]))
    assert content(memory) == CONTENT


def test_more_bytes_than_there_is_room_for_are_not_written(regions: Regions, memory: SharedMemory) -> None:
    with pytest.raises(InvalidSharedMemory, match="expected room for 5 bytes, got 4"):
        regions.write(Span("part", 0, 4), b"12345")
    assert content(memory) == CONTENT


def test_a_file_that_was_shortened_is_an_error(regions: Regions, memory: SharedMemory) -> None:
    os.truncate(FOLDER / memory.name, 40)
    assert read(regions, "part", 0, 8) == CONTENT[32:40]
    for access in (lambda: read(regions, "part", 0, 9), lambda: regions.write(Span("part", 0, 9), bytes(9))):
        with pytest.raises(InvalidSharedMemory, match="expected at least 41 bytes of shared memory, got 40"):
            access()
    assert (FOLDER / memory.name).stat().st_size == 40


def test_a_file_that_was_removed_stays_until_its_region_is_forgotten(regions: Regions, memory: SharedMemory) -> None:
    (FOLDER / memory.name).rename(FOLDER / f"{memory.name}-moved")
    assert read(regions, "part", 0, 32) == CONTENT[32:64]
    (FOLDER / f"{memory.name}-moved").rename(FOLDER / memory.name)


@pytest.mark.parametrize(
    "key",
    ["", "/", ".", "..", "/..", "../etc/passwd", "/a/b", "a/../b", "//etc", "a\0b", "a b", "x" * 300, "/absent-region"],
)
def test_a_key_names_only_what_lies_in_the_folder(key: str) -> None:
    with pytest.raises(InvalidSharedMemory):
        Regions().register("name", key, 0, 1)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    names = ["hourglass-test-link", "hourglass-test-pipe"]
    try:
        (FOLDER / names[0]).symlink_to(secret)
        os.mkfifo(FOLDER / names[1])
        for name in names:
            with pytest.raises(InvalidSharedMemory):
                Regions().register("name", name, 0, 1)
    finally:
        for name in names:
            (FOLDER / name).unlink(missing_ok=True)


@pytest.mark.parametrize(("offset", "size"), [(0, 97), (96, 1), (-1, 4), (0, 0), (2**63, 2**63)])
def test_a_region_lies_within_its_file(memory: SharedMemory, offset: int, size: int) -> None:
    regions = Regions()
    with pytest.raises(InvalidSharedMemory):
        regions.register("name", memory.name, offset, size)
    assert regions.status() == []


def test_a_name_is_registered_once_and_can_be_forgotten(regions: Regions, memory: SharedMemory) -> None:
    with pytest.raises(InvalidSharedMemory, match="registered already"):
        regions.register("part", memory.name, 0, 1)
    with pytest.raises(InvalidSharedMemory, match="1 to 250 characters"):
        regions.register("", memory.name, 0, 1)
    regions.register("other", memory.name, 0, 64)
    assert [region.name for region in regions.status()] == ["part", "other"]
    assert regions.status("other") == [("other", memory.name, 0, 64)]
    open_files = open_file_count()
    regions.unregister("part")
    regions.unregister("part")
    with pytest.raises(InvalidSharedMemory, match="region 'part': no region of this name is registered"):
        regions.status("part")
    regions.unregister()
    assert regions.status() == []
    assert open_file_count() == open_files - 2


def test_bytes_are_counted_before_they_are_read(regions: Regions) -> None:
    def refuse(count: int) -> None:
        raise Overloaded(f"{count} more do not fit")

    with pytest.raises(Overloaded, match="16 more"):
        regions.read(Span("part", 0, 16), refuse)


def test_without_shared_memory_everything_is_refused(memory: SharedMemory) -> None:
    regions = Regions("it is off")
    for access in (
        lambda: regions.register("name", memory.name, 0, 1),
        lambda: regions.unregister("name"),
        regions.status,
        lambda: read(regions, "name", 0, 1),
        lambda: regions.write(Span("name", 0, 1), b"x"),
    ):
        with pytest.raises(Refused, match="it is off"):
            access()


def test_the_parameters_of_a_tensor_are_its_place() -> None:
    parameters = {"shared_memory_region": "part", "shared_memory_byte_size": 16}
    assert read_span(parameters, "samples", True) == Span("part", 0, 16)
    assert read_span({**parameters, "shared_memory_offset": 8}, "samples", True) == Span("part", 8, 16)
    with pytest.raises(Refused, match="samples: expected tensors in the body; shared_memory_region is not offered"):
        read_span(parameters, "samples", False)


@pytest.mark.parametrize(
    "change",
    [
        {"shared_memory_region": None},
        {"shared_memory_region": 5},
        {"shared_memory_byte_size": None},
        {"shared_memory_byte_size": -1},
        {"shared_memory_byte_size": 1.5},
        {"shared_memory_offset": "0"},
        {"shared_memory_offset": True},
    ],
)
def test_parameters_without_a_place_are_named(change: dict[str, object]) -> None:
    parameters = {"shared_memory_region": "part", "shared_memory_byte_size": 16, **change}
    with pytest.raises(MalformedBody, match="samples: expected a shared_memory_region"):
        read_span(parameters, "samples", True)


def test_numbers_are_written_as_bytes(regions: Regions, memory: SharedMemory) -> None:
    numbers = np.array([[1, 2], [3, 4]], np.float32).T
    assert write_span(numbers, Span("part", 8, 16), regions.write) == {
        "shared_memory_region": "part",
        "shared_memory_offset": 8,
        "shared_memory_byte_size": 16,
    }
    assert np.frombuffer(content(memory), "<f4")[10:14].tolist() == [1, 3, 2, 4]
    assert write_span(np.array([True, False]), Span("part", 0, 2), regions.write)["shared_memory_byte_size"] == 2
