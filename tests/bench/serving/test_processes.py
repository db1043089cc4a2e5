"""CPU time and memory of a tree of processes, from files like those of /proc, and the start of a server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx
import pytest

from bench.serving import processes
from bench.serving.processes import StartError, running
from bench.serving.servers import Contender
from tests.helpers.bench import FILE_SERVER


def write_process(
    proc: Path, pid: int, parent: int, session: int, ticks: tuple[int, ...], environment: str = ""
) -> None:
    """Write stat and environ of one process."""
    folder = proc / str(pid)
    folder.mkdir()
    numbers = " ".join(map(str, ticks))
    (folder / "stat").write_text(
        f"{pid} (a (strange) name) S {parent} 1 {session} 0 -1 0 1 2 3 4 {numbers} 20 0 1 0 99"
    )
    (folder / "environ").write_text(environment)


def test_a_name_with_brackets_is_parsed(tmp_path: Path) -> None:
    write_process(tmp_path, 7, 1, 5, (100, 20, 3, 4))
    assert processes.all_stats(tmp_path) == {7: processes.Stat(pid=7, parent=1, session=5, ticks=127)}


def test_the_tree_is_found_by_session_mark_and_descent(tmp_path: Path) -> None:
    write_process(tmp_path, 10, 1, 10, (1, 0, 0, 0))
    write_process(tmp_path, 11, 10, 10, (2, 0, 0, 0))
    write_process(tmp_path, 12, 1, 12, (4, 0, 0, 0), "A=b\0BENCH_SERVER=abc\0")
    write_process(tmp_path, 13, 12, 13, (8, 0, 0, 0))
    write_process(tmp_path, 99, 1, 99, (16, 0, 0, 0), "BENCH_SERVER=other\0")
    tree = processes.process_tree(10, "BENCH_SERVER=abc", tmp_path)
    assert [stat.pid for stat in tree] == [10, 11, 12, 13]
    assert processes.cpu_seconds(tree) == 15 / processes.TICKS_PER_SECOND


def test_threads_are_summed_to_the_nanosecond(tmp_path: Path) -> None:
    for thread, nanoseconds in ((7, 1_500_000_000), (8, 250_000_000)):
        task = tmp_path / "7" / "task" / str(thread)
        task.mkdir(parents=True)
        (task / "schedstat").write_text(f"{nanoseconds} 12 34\n")
    stats = [processes.Stat(7, 1, 7, 0), processes.Stat(9, 1, 9, 0)]
    assert processes.thread_seconds(stats, tmp_path) == 1.75


def test_a_core_is_busy_except_when_idle_or_waiting(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(
        "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 4 1000 2000 8 16 32 0 0\ncpu1 5 5 5 5 5 5 5 5 0 0\n"
    )
    assert processes.busy_seconds(0, tmp_path) == 63 / processes.TICKS_PER_SECOND


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
def test_a_server_is_started_measured_and_stopped(tmp_path: Path) -> None:
    contender = Contender(
        "files",
        lambda port, _: [sys.executable, "-c", FILE_SERVER, str(port)],
        lambda _: {},
    )
    core = min(os.sched_getaffinity(0))
    with running(contender, tmp_path, core) as server:
        assert httpx.get(server.address).status_code == 200
        stats = server.stats()
        assert len(stats) == 1
        assert os.sched_getaffinity(stats[0].pid) == {core}
        assert 1 < processes.memory_mb(stats) <= processes.peak_memory_mb(stats) < 200
        assert server.cpu_seconds() > 0
    assert server.stats() == []


def test_a_server_that_ends_at_once_is_an_error_with_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such model')"]
    contender = Contender("broken", lambda _, __: command, lambda _: {})
    with (
        pytest.raises(StartError, match="broken ended with 1: no such model"),
        running(contender, tmp_path, min(os.sched_getaffinity(0))),
    ):
        pass
