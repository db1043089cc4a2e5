"""Counts of several processes add up, and survive the processes that counted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import StartupError
from app.server.counters import CAPACITY, NUMBER_BYTES, SPARE, Counters, inherited_folder, shared_folder

COUNTING = """
import sys
from pathlib import Path
from app.server.counters import Counters
counters = Counters(Path(sys.argv[1]))
at, gauge = counters.block("requests", ("a",), 2), counters.block("depth", (), gauge=True)
counters.numbers[at] += 3
counters.numbers[at + 1] += 0.5
counters.numbers[gauge] = 7
print("counted", flush=True)
sys.stdin.read()
"""


def counting_process(folder: Path) -> subprocess.Popen[str]:
    """Start a process that counts 3 requests and 0.5, has a depth of 7, and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTING, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process, so that it can tidy nothing up."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_counts_of_one_process_need_no_files() -> None:
    counters = Counters()
    counters.numbers[counters.block("requests", ("a",))] += 2
    counters.numbers[counters.block("requests", ("b",))] += 1
    assert counters.sums() == {("requests", ("a",)): [2], ("requests", ("b",)): [1]}


def test_a_block_keeps_its_place(tmp_path: Path) -> None:
    counters = Counters(tmp_path)
    first = counters.block("seconds", ("a",), 5)
    assert counters.block("seconds", ("b",), 5) == first + 5
    assert counters.block("seconds", ("a",), 5) == first


def test_counts_of_all_processes_add_up(tmp_path: Path) -> None:
    counters = Counters(tmp_path)
    counters.numbers[counters.block("requests", ("a",), 2)] += 1
    others = [counting_process(tmp_path) for _ in range(2)]
    try:
        assert counters.sums() == {("requests", ("a",)): [7, 1], ("depth", ()): [14]}
    finally:
        for process in others:
            end(process)


def test_a_killed_process_leaves_its_counts_and_no_gauges(tmp_path: Path) -> None:
    end(counting_process(tmp_path))
    assert Counters(tmp_path).sums() == {("requests", ("a",)): [3, 0.5], ("depth", ()): [0]}


def test_a_new_process_continues_the_file_of_an_ended_one(tmp_path: Path) -> None:
    for _ in range(3):
        end(counting_process(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1
    process = counting_process(tmp_path)
    try:
        assert Counters(tmp_path).sums() == {("requests", ("a",)): [12, 2], ("depth", ()): [7]}
        assert len(list(tmp_path.iterdir())) == 2
    finally:
        end(process)


def test_a_line_that_was_cut_off_is_removed(tmp_path: Path) -> None:
    end(counting_process(tmp_path))
    [path] = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b'["requests", ["b"], 1')
    counters = Counters(tmp_path)
    counters.numbers[counters.block("requests", ("c",))] += 1
    assert counters.sums()["requests", ("c",)] == [1]
    assert ("requests", ("b",)) not in counters.sums()


def test_a_file_that_its_process_has_not_filled_yet_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1-0.counters").touch()
    counters = Counters(tmp_path)  # takes that file over
    (tmp_path / "2-0.counters").touch()
    counters.numbers[counters.block("requests", ())] += 1
    assert counters.sums() == {("requests", ()): [1]}


@pytest.mark.parametrize("shared", [False, True])
def test_blocks_without_room_are_not_counted(shared: bool, tmp_path: Path) -> None:
    counters = Counters(tmp_path if shared else None)
    blocks = (CAPACITY - SPARE) // SPARE
    for number in range(blocks + 5):
        counters.numbers[counters.block("many", (str(number),), SPARE)] += 1
    assert len(counters.sums()) == blocks
    assert all(numbers[0] == 1 for numbers in counters.sums().values())


def test_an_unused_file_takes_little_space(tmp_path: Path) -> None:
    counters = Counters(tmp_path)
    counters.block("requests", ())
    [path] = tmp_path.iterdir()
    assert path.stat().st_size > CAPACITY * NUMBER_BYTES
    assert path.stat().st_blocks * 512 < CAPACITY * NUMBER_BYTES / 8


def test_the_folder_of_workers_is_private_and_goes() -> None:
    with shared_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert inherited_folder() == folder
        Counters(folder)
    assert not folder.exists()
    assert inherited_folder() is None


def test_a_server_without_a_folder_for_its_workers_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> str:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(StartupError, match=r"Read-only file system.*HOURGLASS_WORKERS=1"), shared_folder():
        pass
