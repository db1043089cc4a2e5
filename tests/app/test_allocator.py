"""The C library's memory: what can be asked of it, and where it cannot."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.engine import allocator

ROOT = Path(__file__).parents[2]

THREADS = """
import ctypes, sys, threading
from app.engine.allocator import keep_heap_small
if sys.argv[1] == "share":
    keep_heap_small()
def work():
    kept.append(bytearray(1000))
    together.wait()
kept, together = [], threading.Barrier(5)
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
from app.engine.allocator import LARGE, keep_heap_small
if sys.argv[1] == "share":
    keep_heap_small()
for size in (4, 3, 2):  # the first that is freed raises glibc's own threshold above the others
    block = bytearray(size * LARGE)
    del block
block = bytearray(2 * LARGE)
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
@pytest.mark.parametrize(("how", "mapped"), [("share", True), ("apart", False)])
def test_large_blocks_are_not_among_the_small_ones(how: str, mapped: bool) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LARGE, how], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    sizes = [int(size) for size in re.findall(r'type="mmap" count="[0-9]+" size="([0-9]+)"', ended.stdout)]
    assert (max(sizes) >= 2 * allocator.LARGE) == mapped


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
@pytest.mark.parametrize(("how", "heaps"), [("share", 1), ("apart", 5)])
def test_threads_keep_heap_small(how: str, heaps: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", THREADS, how], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    assert ended.stdout.count("<heap nr=") == heaps


@pytest.mark.parametrize("problem", [OSError, AttributeError])
def test_another_c_library_is_left_alone(problem: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Any) -> Any:
        raise problem

    monkeypatch.setattr("ctypes.CDLL", missing)
    allocator.keep_heap_small()
    allocator.return_memory()
