"""The random numbers of a step: of (seed, stage, step) and of a row's place in the batch, and of nothing else."""

from __future__ import annotations

import torch
from torch import Tensor

from training.fitting.ranks import Share, sum_over_ranks, world


class Draws:
    """
    A seeded stream. Of several processes each draws for the whole batch and keeps the numbers of its own rows, so that
    a row's noise does not depend on how many processes there are.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu", share: Share | None = None) -> None:
        self._generator = torch.Generator(device).manual_seed(seed)
        self._share = share

    def normal(self, rows: int, *shape: int) -> Tensor:
        """Standard normal numbers. Shape: (rows, *shape)"""
        drawn = torch.randn(self._total(rows), *shape, generator=self._generator, device=self._generator.device)
        return self._own(drawn, rows)

    def uniform(self, rows: int, *shape: int) -> Tensor:
        """Numbers from [0, 1). Shape: (rows, *shape)"""
        drawn = torch.rand(self._total(rows), *shape, generator=self._generator, device=self._generator.device)
        return self._own(drawn, rows)

    def spread(self, code: Tensor) -> Tensor:
        """The standard deviation of all numbers of a code, over the rows of all processes."""
        if self._share is None or world() == 1:
            return code.std()
        own = code[: self._share.rows].double()
        count, total = sum_over_ranks([own.numel(), own.sum()])
        (squares,) = sum_over_ranks([(own - total / count).square().sum()])
        return torch.tensor((squares / (count - 1)) ** 0.5, dtype=code.dtype, device=code.device)

    def _total(self, rows: int) -> int:
        return self._share.total if self._share else rows

    def _own(self, drawn: Tensor, rows: int) -> Tensor:
        """The rows of this share; of an empty one, whose stand-in row has no weight, any."""
        first = self._share.first if self._share and self._share.rows else 0
        return drawn[first : first + rows]
