"""Threads below Python: those that wait sleep, and small work has one, so that training leaves others their cores."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""
The variables of the standard, of GNU's library, which torch's wheels bring, and of LLVM's and Intel's.

By default a thread that waits spins for milliseconds. Beside other processes its partner may not run for as long:
`bench.training_cpu` shows what that costs.
"""


def wait_passively(environment: MutableMapping[str, str]) -> None:
    """Set the variables, unless the user has set one of them. Call this before torch is imported, which reads them."""
    if not PASSIVE.keys() & environment.keys():
        environment.update(PASSIVE)


@contextmanager
def one_thread() -> Iterator[None]:
    """Give BLAS and OpenMP one thread, for many small products: on them, more threads mostly wait for each other."""
    from threadpoolctl import threadpool_limits  # it loads nothing, but is installed for training only

    with threadpool_limits(limits=1):
        yield
