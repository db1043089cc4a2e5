"""The C library's memory, kept small: threads share one heap, and what loading left goes back to the system."""

from __future__ import annotations

import contextlib
import ctypes

M_ARENA_MAX = -8
"""Source: glibc, malloc/malloc.h; mallopt(3)"""


def share_one_heap() -> None:
    """
    Let no thread have a heap of its own, which would keep what the thread once needed.

    To be called before there are threads; without effect where the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def return_memory() -> None:
    """Give free memory back to the system; without effect where the C library is not glibc."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
