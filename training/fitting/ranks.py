"""
The processes of a run: one, or several that `torchrun` started, each with a share of every batch.

With one process nothing here does anything; `torch.distributed` is not even asked.
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
class Share:
    """The rows of a batch that this process computes: of a batch of 7 rows on two processes, 4 and 3."""

    first: int
    rows: int
    """0 where a batch has fewer rows than there are processes; one row then stands in, with weight 0."""
    total: int
    """Rows of the batch, over all processes."""
    weight: float
    """rows * processes / total: with it the mean of the processes' gradients is that of the batch."""

    @classmethod
    def of(cls, total: int, rank: int, world: int) -> Share:
        """Shares that follow one another and differ by one row at most."""
        size, larger = divmod(total, world)
        rows = size + (rank < larger)
        first = min(rank * size + min(rank, larger), total - 1)
        return cls(first, rows, total, rows * world / total)


def world() -> int:
    """How many processes train together."""
    return int(os.environ["WORLD_SIZE"]) if _launched() else 1


def local_world() -> int:
    """How many of them run on this machine."""
    return int(os.environ["LOCAL_WORLD_SIZE"]) if _launched() else 1


def rank() -> int:
    """This process's number, from 0."""
    return int(os.environ["RANK"]) if _launched() else 0


def local_rank() -> int:
    """Its number among those of this machine: which GPU is its own."""
    return int(os.environ["LOCAL_RANK"]) if _launched() else 0


def is_first_rank() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return rank() == 0


def on_first_rank(work: Callable[[], T]) -> T | None:
    """
    What `work` gives on rank 0, and None on the others, which wait for it.

    What it raises on rank 0 is raised there, and as a RunError on the others.
    """
    if world() == 1:
        return work()
    _join()
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
    """The sum of each number over all processes, the same on all of them."""
    sums = [float(number) for number in numbers]
    if world() == 1:
        return sums
    _join()
    shared = torch.tensor(sums, dtype=torch.float64)
    distributed.all_reduce(shared)
    return [float(number) for number in shared]


def _launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def _join() -> None:
    """Meet the others. Lightning takes the group that it finds; gloo carries what is on the CPU."""
    if not distributed.is_initialized():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        atexit.register(distributed.destroy_process_group)
