"""Batches by index from memory: one permutation an epoch, drawn from the seed and the epoch's number alone."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from training.data import Split


def mixed_seed(*numbers: int) -> int:
    """One 63-bit seed from several numbers, so that draws depend on (seed, stage, step) and on nothing else."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state ^= number & 0xFFFFFFFFFFFFFFFF
        state = (state * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1


class Rows(Dataset[Tensor]):
    """A split whose item is a batch: samples in the user's units, float32, for a list of row numbers."""

    def __init__(self, split: Split) -> None:
        # a copy, since torch warns of read-only arrays and IDX files are read as such
        self._samples = torch.from_numpy(split.samples.copy())
        self._unit = split.unit

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, rows: list[int]) -> Tensor:
        return self._samples[rows].float() * self._unit


class Batches(Sampler[list[int]]):
    """
    Lists of row numbers. Lightning calls `set_epoch`, so that a resumed run sees the order that an uninterrupted
    one would have seen. A last, smaller batch is kept: dropping it would drop rows of a small data set.
    """

    def __init__(self, rows: int, batch_size: int, seed: int | None) -> None:
        self._rows, self._batch_size, self._seed = rows, batch_size, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-self._rows // self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.arange(self._rows)
        if self._seed is not None:
            generator = torch.Generator().manual_seed(mixed_seed(self._seed, self._epoch))
            order = torch.randperm(self._rows, generator=generator)
        yield from (chunk.tolist() for chunk in torch.split(order, self._batch_size))


def batches(split: Split, batch_size: int, seed: int | None) -> DataLoader[Tensor]:
    """A loader over a split: shuffled with a seed, in order without one. No worker processes: it is all in memory."""
    return DataLoader(Rows(split), sampler=Batches(len(split), batch_size, seed), batch_size=None)
