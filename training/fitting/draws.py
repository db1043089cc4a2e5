"""The random numbers of a training step. They depend on (seed, stage, step) and a row's place in the batch only."""

from __future__ import annotations

import torch
from torch import Tensor

from training.fitting.ranks import BatchShare, sum_over_ranks, world


class Draws:
    """
    A seeded stream of random numbers.

    Each of several processes draws for the whole batch and keeps the numbers of its own rows. So a row's noise does not
    depend on the number of processes.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu", share: BatchShare | None = None) -> None:
        self._generator = torch.Generator(device).manual_seed(seed)
        self._share = share

    def normal(self, rows: int, *shape: int) -> Tensor:
        """Return standard normal numbers. Shape: (rows, *shape)."""
        numbers = torch.randn(self._total(rows), *shape, generator=self._generator, device=self._generator.device)
        return self._own(numbers, rows)

    def uniform(self, rows: int, *shape: int) -> Tensor:
        """Return numbers from [0, 1). Shape: (rows, *shape)."""
        numbers = torch.rand(self._total(rows), *shape, generator=self._generator, device=self._generator.device)
        return self._own(numbers, rows)

    def spread(self, values: Tensor) -> Tensor:
        """Return the standard deviation of all numbers, over the rows of all processes. Shapes: (B, *shape) -> ()."""
        if self._share is None or world() == 1:
            return values.std()
        own = values[: self._share.rows].double()
        count, total = sum_over_ranks([own.numel(), own.sum()])
        (squares,) = sum_over_ranks([(own - total / count).square().sum()])
        return torch.tensor((squares / (count - 1)) ** 0.5, dtype=values.dtype, device=values.device)

    def _total(self, rows: int) -> int:
        return self._share.total if self._share else rows

    def _own(self, numbers: Tensor, rows: int) -> Tensor:
        """Return this process's rows; if its share is empty, any row for the stand-in, which has no weight."""
        first = self._share.first if self._share and self._share.rows else 0
        return numbers[first : first + rows]
