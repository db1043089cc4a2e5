"""The C library's memory: what can be asked of it, and where it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.engine import allocator

ROOT = Path(__file__).parents[2]

THREADS = """
import ctypes, sys, threading
from app.engine.allocator import share_one_heap
if sys.argv[1] == "share":
    share_one_heap()
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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
@pytest.mark.parametrize(("how", "heaps"), [("share", 1), ("apart", 5)])
def test_threads_share_one_heap(how: str, heaps: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", THREADS, how], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    assert ended.stdout.count("<heap nr=") == heaps


@pytest.mark.parametrize("problem", [OSError, AttributeError])
def test_another_c_library_is_left_alone(problem: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Any) -> Any:
        raise problem

    monkeypatch.setattr("ctypes.CDLL", missing)
    allocator.share_one_heap()
    allocator.return_memory()
