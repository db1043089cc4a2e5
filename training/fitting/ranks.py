"""
The processes of a run: one, or several that `torchrun` started, each with a share of every batch.

With one process nothing is shared or sent, and `torch.distributed` is never initialised.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

from training.errors import RunError

T = TypeVar("T")


@dataclass(frozen=True)
class BatchShare:
    """The rows of a batch that this process computes. Two processes share a batch of 7 rows as 4 and 3."""

    first: int
    """Index of the first row in the batch."""
    rows: int
    """0 if the batch has fewer rows than there are processes; one row then stands in, with weight 0."""
    total: int
    """Rows of the batch, over all processes."""
    weight: float
    """rows * processes / total. Weighted by it, the mean of the processes' gradients is the batch's gradient."""

    @classmethod
    def of(cls, total: int, rank: int, world: int) -> BatchShare:
        """Return the share of a process. Shares follow one another and differ by at most one row."""
        size, larger = divmod(total, world)
        rows = size + (rank < larger)
        first = min(rank * size + min(rank, larger), total - 1)
        return cls(first, rows, total, rows * world / total)


def world() -> int:
    """Return the number of processes that train together."""
    return int(os.environ["WORLD_SIZE"]) if _started_by_torchrun() else 1


def local_world() -> int:
    """Return the number of these processes on this machine."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if _started_by_torchrun() else 1


def rank() -> int:
    """Return this process's number, from 0."""
    return int(os.environ["RANK"]) if _started_by_torchrun() else 0


def local_rank() -> int:
    """Return this process's number on this machine, which is also the number of its GPU."""
    return int(os.environ["LOCAL_RANK"]) if _started_by_torchrun() else 0


def is_first_rank() -> bool:
    """Return whether this process writes files and logs; exactly one does."""
    return rank() == 0


def on_first_rank(work: Callable[[], T]) -> T | None:
    """
    Call `work` on rank 0 and return its result there; the other ranks wait and return None.

    An error of `work` is raised on rank 0 as it is, and on the other ranks as a RunError with the same message.
    """
    if world() == 1:
        return work()
    _join_process_group()
    result, message = None, [""]
    if not is_first_rank():
        distributed.broadcast_object_list(message)
        if message[0]:
            raise RunError(message[0])
        return None
    try:
        result = work()
    except Exception as error:
        distributed.broadcast_object_list([str(error) or repr(error)])
        raise
    distributed.broadcast_object_list(message)
    return result


def sum_over_ranks(numbers: Sequence[Tensor | float]) -> list[float]:
    """Return the sum of each number over all processes, the same on every process."""
    sums = [float(number) for number in numbers]
    if world() == 1:
        return sums
    _join_process_group()
    shared = torch.tensor(sums, dtype=torch.float64)
    distributed.all_reduce(shared)
    return [float(number) for number in shared]


def _started_by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _join_process_group() -> None:
    """Initialise the process group, which Lightning then uses too. Tensors on the CPU travel by gloo."""
    if not distributed.is_initialized():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        atexit.register(distributed.destroy_process_group)
