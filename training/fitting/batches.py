"""Batches by index from memory: one permutation an epoch, drawn from the seed and the epoch's number alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.data import Split
from training.fitting.ranks import Share

RESIDENT = 0.5
"""Share of a GPU's free memory that a split may take; a larger one stays in the computer's, and its batches move."""


def mixed_seed(*numbers: int) -> int:
    """One 63-bit seed from several numbers, so that draws depend on (seed, stage, step) and on nothing else."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state ^= number & 0xFFFFFFFFFFFFFFFF
        state = (state * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1


class Batches:
    """
    The batches of a split: (samples, labels), on the device.

        samples  (B, *input_shape)  float32, in the user's units
        labels   (B,)               int64; zeros where the split has none

    Shuffled with a seed, in order without one. `batch_size` is that of one process: with several, each gives its share
    of a batch of `batch_size * world` rows. The last, smaller batch is kept: dropping it would drop rows of a small
    data set. The split is not copied, and keeps its type until a batch is taken.
    """

    batch_sampler = None
    """Lightning looks for one where there is a `sampler`."""

    def __init__(
        self,
        split: Split,
        batch_size: int,
        seed: int | None,
        device: torch.device | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._device = device or torch.device("cpu")
        self._samples = as_tensor(split.samples)
        self._labels = None if split.labels is None else as_tensor(split.labels)
        self._unit = split.unit
        self._batch_size, self._seed = batch_size * world, seed
        self._rank, self._world = rank, world
        self._epoch = 0
        if self._device.type == "cuda" and self._samples.nbytes < RESIDENT * torch.cuda.mem_get_info(self._device)[0]:
            self._samples = self._samples.to(self._device)
            self._labels = None if self._labels is None else self._labels.to(self._device)

    @property
    def sampler(self) -> Batches:
        """Lightning calls `set_epoch` on what stands under this name."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation, so that a resumed run sees the one that an uninterrupted run would have seen."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-len(self._samples) // self._batch_size)

    def share(self, index: int) -> Share:
        """Which rows of a batch are this process's."""
        total = min(self._batch_size, len(self._samples) - index * self._batch_size)
        return Share.of(total, self._rank, self._world)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.arange(len(self._samples))
        if self._seed is not None:
            generator = torch.Generator().manual_seed(mixed_seed(self._seed, self._epoch))
            order = torch.randperm(len(self._samples), generator=generator)
        order = order.to(self._samples.device)
        for index in range(len(self)):
            share = self.share(index)
            rows = order.narrow(0, index * self._batch_size + share.first, max(1, share.rows))
            samples = self._samples.index_select(0, rows).to(self._device).float().mul_(self._unit)
            yield samples, self._labels_of(rows)

    def _labels_of(self, rows: Tensor) -> Tensor:
        if self._labels is None:
            return torch.zeros(len(rows), dtype=torch.int64, device=self._device)
        return self._labels.index_select(0, rows.to(self._labels.device)).to(self._device)


def as_tensor(array: npt.NDArray[Any]) -> Tensor:
    """
    A tensor over the array's own memory, which must not be written to: data read from a file may be read-only.

    Copied only where torch cannot take the array: a foreign byte order, a negative stride.
    """
    if not array.dtype.isnative or any(stride < 0 for stride in array.strides):
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
