"""The cores that the process may use, and the memory that the C library keeps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.engine.process import MMAP_THRESHOLD_BYTES, available_cores, cpu_quota, limit_heap, return_memory

ROOT = Path(__file__).parents[3]

THREADS = """
import ctypes, sys, threading
from app.engine.process import limit_heap
if sys.argv[1] == "share":
    limit_heap()
def work():
    blocks.append(bytearray(1000))
    together.wait()
blocks, together = [], threading.Barrier(5)
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
together.wait()
"""

LARGE = """
import ctypes, sys
from app.engine.process import MMAP_THRESHOLD_BYTES, limit_heap
if sys.argv[1] == "share":
    limit_heap()
for size in (4, 3, 2):  # the first freed block raises glibc's own threshold above the others
    block = bytearray(size * MMAP_THRESHOLD_BYTES)
    del block
block = bytearray(2 * MMAP_THRESHOLD_BYTES)
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs glibc")
@pytest.mark.parametrize(("how", "mapped"), [("share", True), ("apart", False)])
def test_large_blocks_are_mapped_separately(how: str, mapped: bool) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LARGE, how], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    sizes = [int(size) for size in re.findall(r'type="mmap" count="[0-9]+" size="([0-9]+)"', ended.stdout)]
    assert (max(sizes) >= 2 * MMAP_THRESHOLD_BYTES) == mapped


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs glibc")
@pytest.mark.parametrize(("how", "heaps"), [("share", 1), ("apart", 5)])
def test_threads_share_one_heap(how: str, heaps: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", THREADS, how], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    assert ended.stdout.count("<heap nr=") == heaps


SETTLED = """
import gc
from app.engine.process import settle
gc.disable()
loaded = [[] for _ in range(100_000)]
settle()
assert gc.isenabled()
assert gc.get_freeze_count() > 100_000
assert len(gc.get_objects()) < 1000
"""


def test_the_collector_is_on_after_the_start_and_passes_over_what_is_loaded() -> None:
    subprocess.run([sys.executable, "-c", SETTLED], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("problem", [OSError, AttributeError])
def test_another_c_library_is_not_touched(problem: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Any) -> Any:
        raise problem

    monkeypatch.setattr("ctypes.CDLL", missing)
    limit_heap()
    return_memory()


@pytest.mark.parametrize(
    ("text", "quota"), [("max 100000", None), ("150000 100000", 1.5), ("50000 100000", 0.5), ("nonsense", None)]
)
def test_the_quota_of_control_groups_version_2_is_read(tmp_path: Path, text: str, quota: float | None) -> None:
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert cpu_quota(tmp_path) == quota


@pytest.mark.parametrize(("limit", "quota"), [("-1", None), ("200000", 2.0)])
def test_the_quota_of_control_groups_version_1_is_read(tmp_path: Path, limit: str, quota: float | None) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(limit)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cpu_quota(tmp_path) == quota


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None


def test_a_fraction_of_a_core_counts_as_one_core(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000")
    assert available_cores(tmp_path) == 1


def test_the_affinity_mask_bounds_the_quota(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("9900000 100000")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores(tmp_path) == 1
    finally:
        os.sched_setaffinity(0, before)
