"""The C library's memory, kept small: what a large request or a run needed goes back to the system."""

from __future__ import annotations

import contextlib
import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Source: glibc, malloc/malloc.h; mallopt(3)"""

MEBIBYTE = 1024 * 1024
LARGE = 2 * MEBIBYTE
"""
Bytes from which a block is mapped by itself: freed among small ones, it would leave a hole that nothing fills. What is
between the layers of a small network should be smaller, since mapping it anew takes a fifth of its run.
"""
SPARE = 16 * MEBIBYTE
"""Bytes that may stay free at the end of the heap: to give them back and ask again costs more than a small run."""


def keep_heap_small() -> None:
    """
    Let no thread have a heap of its own, which would keep what the thread once needed, and bound what the one keeps.

    To be called before there are threads; without effect where the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, 1)
        library.mallopt(M_MMAP_THRESHOLD, LARGE)
        library.mallopt(M_TRIM_THRESHOLD, SPARE)


def return_memory() -> None:
    """Give free memory back to the system; without effect where the C library is not glibc."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
