"""The batches of an epoch, taken by index from memory. Only the seed and the epoch's number decide their order."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.data.dataset import Split
from training.data.storage import Integers
from training.fitting.ranks import BatchShare

MAX_GPU_MEMORY_SHARE = 0.5
"""Share of a GPU's free memory that a split may take. A larger split stays on the CPU; its batches are copied."""


def mixed_seed(*numbers: int) -> int:
    """Combine several numbers, such as (seed, stage, step), into one 63-bit seed."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state ^= number & 0xFFFFFFFFFFFFFFFF
        state = (state * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1


class Batches:
    """
    An iterable of the batches of a split, (samples, labels), on the device.

        samples  (B, *input_shape)  float32, in the user's units
        labels   (B,)               int64; zeros if the split has no labels

    The rows are shuffled if there is a seed, otherwise in order. `batch_size` is the size for one process: several
    processes share a batch of `batch_size * world` rows. The last, smaller batch is kept, because dropping it would
    drop rows of a small data set. An epoch has `passes` passes over the rows, each in an order of its own. The split
    is not copied, and each batch is converted to float32 when it is taken.

    With `neighbours`, rows of the split for each row, (N, k), every other row of a pass is a random neighbour of the
    one before it; half of the rows begin such a pair.
    """

    batch_sampler = None
    """Lightning reads this attribute of a loader that has a `sampler`."""

    def __init__(
        self,
        split: Split,
        batch_size: int,
        seed: int | None,
        device: torch.device | None = None,
        rank: int = 0,
        world: int = 1,
        passes: int = 1,
        neighbours: Integers | None = None,
    ) -> None:
        self._device = device or torch.device("cpu")
        self._samples = as_tensor(split.samples)
        self._labels = None if split.labels is None else as_tensor(split.labels)
        self._unit = split.unit
        self._batch_size, self._seed = batch_size * world, seed
        self._rank, self._world = rank, world
        self._passes = passes
        self._neighbours = None if neighbours is None else torch.from_numpy(neighbours)
        self._epoch = 0
        if self._fits_on_gpu():
            self._samples = self._samples.to(self._device)
            self._labels = None if self._labels is None else self._labels.to(self._device)

    def _fits_on_gpu(self) -> bool:
        if self._device.type != "cuda":
            return False
        free_bytes, _ = torch.cuda.mem_get_info(self._device)
        return self._samples.nbytes < MAX_GPU_MEMORY_SHARE * free_bytes

    @property
    def sampler(self) -> Batches:
        """Return the object on which Lightning calls `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's permutation, so that a resumed run sees the same order as an uninterrupted one."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._passes * self._steps_per_pass()

    def _steps_per_pass(self) -> int:
        return -(-len(self._samples) // self._batch_size)

    def share(self, index: int) -> BatchShare:
        """Return this process's rows of a batch."""
        first = index % self._steps_per_pass() * self._batch_size
        total = min(self._batch_size, len(self._samples) - first)
        return BatchShare.of(total, self._rank, self._world)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(self._passes):
            order = self._order(self._epoch * self._passes + number)
            for index in range(self._steps_per_pass()):
                share = self.share(index)
                rows = order.narrow(0, index * self._batch_size + share.first, max(1, share.rows))
                samples = self._samples.index_select(0, rows).to(self._device).float().mul_(self._unit)
                yield samples, self._labels_of(rows)

    def _order(self, number: int) -> Tensor:
        """Return the order of the rows in a pass, counted over all epochs."""
        order = torch.arange(len(self._samples))
        if self._seed is not None:
            generator = torch.Generator().manual_seed(mixed_seed(self._seed, number))
            order = torch.randperm(len(self._samples), generator=generator)
            if self._neighbours is not None:
                order = self._paired(order, self._neighbours, generator)
        return order.to(self._samples.device)

    @staticmethod
    def _paired(order: Tensor, neighbours: Tensor, generator: torch.Generator) -> Tensor:
        """Follow each row of the first half by a random one of its neighbours."""
        first = order[: -(-len(order) // 2)]
        choice = torch.randint(neighbours.shape[1], (len(first),), generator=generator)
        return torch.stack([first, neighbours[first, choice]], 1).flatten()[: len(order)]

    def _labels_of(self, rows: Tensor) -> Tensor:
        if self._labels is None:
            return torch.zeros(len(rows), dtype=torch.int64, device=self._device)
        return self._labels.index_select(0, rows.to(self._labels.device)).to(self._device)


def as_tensor(array: npt.NDArray[Any]) -> Tensor:
    """
    Return a tensor over the array's own memory. Do not write to it: data read from a file may be read-only.

    An array that torch cannot use, because of a foreign byte order or a negative stride, is copied.
    """
    if not array.dtype.isnative or any(stride < 0 for stride in array.strides):
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
