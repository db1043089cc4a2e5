"""OpenMP's waiting: idle threads sleep, so that training does not burn the cores that others share."""

from __future__ import annotations

from collections.abc import MutableMapping

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
