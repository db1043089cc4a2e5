"""A log that nobody reads stops nothing: its lines are dropped, counted, and announced."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.log_writer import MAX_WRITE_BYTES, LogWriter

LINE = b"x" * 99 + b"\n"


def notice(count: int) -> bytes:
    """Return the line that announces dropped lines."""
    return b"dropped %d\n" % count


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Give the ends of a pipe: to read, and to write."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def read_until(descriptor: int, wanted: bytes) -> bytes:
    """Read until these bytes have come."""
    text = b""
    while wanted not in text:
        text += os.read(descriptor, 65536)
    return text


def fill(descriptor: int) -> None:
    """Write zeros into a pipe until it is full."""
    os.set_blocking(descriptor, False)
    with suppress(BlockingIOError):
        while os.write(descriptor, bytes(4096)):
            pass
    os.set_blocking(descriptor, True)


def test_lines_come_in_order(pipe: tuple[int, int]) -> None:
    writer = LogWriter(pipe[1], notice)
    writer.write_now(b"0\n")
    for number in range(1, 200):
        writer.write(b"%d\n" % number)
    writer.write_now(b"last\n")
    assert writer.flush(5)
    assert os.read(pipe[0], 65536) == b"".join(b"%d\n" % number for number in range(200)) + b"last\n"
    assert writer.dropped == 0


def test_lines_of_many_threads_all_come(tmp_path: Path) -> None:
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = LogWriter(descriptor, notice)

    def write_many() -> None:
        for _ in range(500):
            writer.write(LINE)

    threads = [threading.Thread(target=write_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.flush(5)
    os.close(descriptor)
    assert path.read_bytes() == LINE * 2000


def test_a_stuck_reader_is_not_waited_for(pipe: tuple[int, int]) -> None:
    fill(pipe[1])
    writer = LogWriter(pipe[1], notice, max_lines=100)
    begin = time.monotonic()
    for _ in range(3000):
        writer.write(LINE)
        writer.write_now(LINE)
    assert not writer.flush(0.1)
    assert time.monotonic() - begin < 5
    assert writer.dropped > 4000
    dropped = writer.dropped
    text = read_until(pipe[0], b"dropped %d\n" % dropped)
    assert writer.flush(5)
    os.set_blocking(pipe[0], False)
    with suppress(BlockingIOError):
        text += os.read(pipe[0], 65536)
    assert text.count(LINE) == 6000 - dropped


def test_nothing_is_announced_twice(pipe: tuple[int, int]) -> None:
    fill(pipe[1])
    writer = LogWriter(pipe[1], notice, max_lines=5)
    for _ in range(20):
        writer.write(LINE)
    text = read_until(pipe[0], b"dropped ")
    assert writer.flush(5)
    writer.write_now(b"again\n")
    writer.write_now(b"and again\n")
    text += read_until(pipe[0], b"and again\n")
    assert text.count(b"dropped") == 1
    assert text.endswith(b"again\nand again\n")


def test_lines_are_written_whole_in_pieces_that_pipes_keep_together(pipe: tuple[int, int]) -> None:
    writer = LogWriter(pipe[1], notice)
    long = b"y" * (2 * MAX_WRITE_BYTES) + b"\n"
    for line in (LINE, long, LINE):
        writer.write_now(line)
    assert writer.flush(5)
    assert os.read(pipe[0], 65536) == LINE + long + LINE


def test_a_reader_that_is_gone_costs_the_lines_only(pipe: tuple[int, int]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    writer = LogWriter(write_end, notice)
    writer.write(LINE)
    writer.write(LINE)
    assert writer.flush(5)
    assert writer.dropped == 2
    os.close(write_end)


def test_a_pipe_that_does_not_block_is_waited_for_by_the_thread(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    writer = LogWriter(pipe[1], notice)
    for _ in range(2000):
        writer.write(LINE)
    text = b""
    while len(text) < 2000 * len(LINE):
        text += os.read(pipe[0], 65536)
    assert text == LINE * 2000
    assert writer.dropped == 0
